"""The entries of the gallery; each is a `gantk build` command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One training.

    Args:
        title: heading on the page.
        build: arguments of `gantk build`; `{data}` stands for the folder of the data sets.
        refined: whether to draw samples without the refiner too.
        by_class: whether to draw the samples with a column for each class, and to test by them the nearest neighbor.
        scored: further arguments of `gantk evaluate`.
        note: a remark for readers.
    """

    title: str
    build: tuple[str, ...]
    refined: bool = False
    by_class: bool = False
    scored: tuple[str, ...] = ()
    note: str = ""

    def words(self, data: str) -> list[str]:
        """The arguments; an entry computes in float32 unless it says otherwise, so that machines can be compared."""
        words = [word.replace("{data}", data) for word in self.build]
        return words if any(PRECISION in word for word in words) else [*words, f"--set={PRECISION}=32-true"]

    def scoring(self, data: str) -> list[str]:
        return [word.replace("{data}", data) for word in self.scored]


PRECISION = "train.precision"

IMAGENET = ("--extractor", "efficientnet-lite0")
"""For images without classes."""

ENTRIES: dict[str, Entry] = {
    "code-loss": Entry(
        "Code loss on MNIST",
        (
            "autodecoder-mnist",
            "--data=mnist:path={data}",
            "--set=generator.width=32",
            "--set=discriminator.width=32",
            "--set=stages.game.batch_size=64",
            "--set=stages.game.length=5000 steps",
        ),
    ),
    "code-loss-cifar10": Entry(
        "Code loss on CIFAR-10",
        (
            "autodecoder",
            "--data=cifar10:path={data}",
            "--generator=dcgan:width=32,init_std=0.02",
            "--discriminator=dcgan:code=true,width=32,init_std=0.02",
            "--set=stages.game.batch_size=64",
            "--set=stages.game.length=4000 steps",
        ),
        scored=("--extractor", "pixels"),
    ),
    "age": Entry(
        "AGE on MNIST",
        (
            "age",
            "--data=mnist:path={data}",
            "--noise=sphere:dim=64",
            "--generator=age:width=16",
            "--set=stages.game.length=2000 steps",
        ),
    ),
    "age-cifar10": Entry(
        "AGE on CIFAR-10",
        (
            "age",
            "--data=cifar10:path={data}",
            "--generator=age:width=16",
            "--set=stages.game.length=2500 steps",
        ),
        scored=("--extractor", "pixels"),
    ),
    "progan-emoji": Entry(
        "Progressive GAN on emoji of 32×32",
        (
            "progan:batch_sizes={4=64,16=32}",
            "--data=zip:path={data}/fluent-emoji-256/fluent-emoji-256.zip,size=32",
            "--noise=gaussian:dim=128",
            "--generator=progan:fmap_base=512,fmap_max=64",
            "--discriminator=progan:fmap_base=512,fmap_max=64",
            "--set=train.ema=0.99",
            "--set=stages.size-4.length=20000 images",
            "--set=stages.size-8.length=40000 images",
            "--set=stages.size-16.length=60000 images",
            "--set=stages.size-32.length=60000 images",
        ),
        scored=IMAGENET,
        note="All stages together see 180,000 images; the paper's see millions in each.",
    ),
    "dcgan-denoiser": Entry(
        "DCGAN with the denoiser on Fashion-MNIST",
        (
            "dcgan",
            "--data=fashion-mnist:path={data}",
            "--generator=dcgan:width=32",
            "--discriminator=dcgan:width=32",
            "--refiner=denoiser:width=16,skips=true",
            "--set=stages.game.batch_size=32",
            "--set=stages.game.length=1500 steps",
        ),
        refined=True,
    ),
    "aegan": Entry(
        "AEGAN on emoji of 32×32",
        (
            "aegan-64",
            "--data=zip:path={data}/fluent-emoji-256/fluent-emoji-256.zip,size=32",
            "--set=generator.embedding=8",
            "--set=generator.width=16",
            "--set=discriminator.width=32",
            "--set=refiner.width=16",
            "--set=stages.autoencode.length=20 epochs",
            "--set=stages.game.length=60 epochs",
        ),
        refined=True,
        scored=IMAGENET,
        note="The embedding game has 60 epochs; the paper's have 200.",
    ),
    "aae": Entry(
        "AAE on MNIST",
        (
            "aae",
            "--data=mnist:path={data}",
            "--set=generator.widths=[500,500]",
            "--discriminator=gan:widths=[300,300]",
            "--set=stages.fit.length=4000 steps",
        ),
    ),
    "stackgan": Entry(
        "StackGAN on MNIST by class: 14×14, then 28×28",
        (
            "stackgan",
            "--data=mnist:path={data}",
            "--condition=class",
            "--generator=stackgan:width=16,doublings=1,residual=1",
            "--discriminator=pyramid:of='gantk:stackgan:width=16,condition_width=16',sizes=2,doublings=1",
            "--set=noise.dim=64",
            "--set=stages.*.batch_size=32",
            "--set=stages.*.*.lr_schedule=constant",
            "--set=stages.stage-1.*.lr=5e-4",
            "--set=stages.stage-1.length=1200 steps",
            "--set=stages.stage-2.length=600 steps",
        ),
    ),
    "stackgan-v2": Entry(
        "StackGAN-v2 on MNIST: 14×14 and 28×28 at once",
        (
            "stackgan-v2",
            "--data=mnist:path={data}",
            "--generator=stackgan-v2:width=4,sizes=2,residual=1",
            "--discriminator=pyramid:of='gantk:stackgan:width=16',sizes=2",
            "--set=noise.dim=32",
            "--set=stages.game.batch_size=32",
            "--set=stages.game.*.lr=5e-4",
            "--set=stages.game.length=1500 steps",
            "--set=train.ema=0.99",
        ),
    ),
    "lapgan": Entry(
        "LAPGAN on MNIST: 7×7, 14×14, 28×28",
        (
            "lapgan",
            "--data=mnist:path={data}",
            "--generator=lapgan:width=12,hidden=600",
            "--discriminator=pyramid:of='gantk:lapgan:width=12,hidden=300'",
            "--set=stages.game.batch_size=32",
            "--set=stages.game.length=2500 steps",
        ),
    ),
    "r3gan": Entry(
        "R3GAN on MNIST",
        (
            "r3gan",
            "--data=mnist:path={data}",
            "--generator=r3gan:width=16,largest=64,blocks=1",
            "--discriminator=r3gan:width=16,largest=64,blocks=1",
            "--set=loss.r1.every=4",
            "--set=loss.r2.every=4",
            "--set=stages.game.*.lr=1e-3",
            "--set=stages.game.batch_size=32",
            "--set=stages.game.length=2000 steps",
        ),
    ),
    "vaegan": Entry(
        "VAE/GAN on MNIST",
        (
            "vaegan",
            "--data=mnist:path={data}",
            "--noise=gaussian:dim=12",
            "--set=generator.width=8",
            "--set=discriminator.width=8",
            "--set=loss.learned-similarity.gamma=0.02",
            "--set=stages.game.*.lr=1e-3",
            "--set=stages.game.batch_size=32",
            "--set=stages.game.length=1500 steps",
        ),
    ),
    "began": Entry(
        "BEGAN on MNIST",
        (
            "began",
            "--data=mnist:path={data}",
            "--set=generator.width=16",
            "--set=discriminator.width=16",
            "--set=loss.began.gamma=1.0",
            "--set=loss.began.rate=0.05",
            "--set=stages.game.*.lr=2e-4",
            "--set=stages.game.length=5000 steps",
        ),
        note="Narrow networks and few steps, at 50 times the paper's rate of the balance and twice its learning rates. "
        "With gamma=0.7, nearly all samples are ones (bench/notes/recipe-defaults.md).",
    ),
    "ebgan": Entry(
        "EBGAN on MNIST",
        (
            "ebgan",
            "--data=mnist:path={data}",
            "--set=generator.width=16",
            "--set=discriminator.width=16",
            "--set=stages.game.batch_size=64",
            "--set=stages.game.length=2000 steps",
        ),
    ),
    "cdcgan": Entry(
        "Conditional DCGAN on MNIST",
        (
            "cdcgan",
            "--data=mnist:path={data}",
            "--set=generator.width=32",
            "--set=discriminator.width=32",
            "--set=stages.game.batch_size=64",
            "--set=stages.game.length=2500 steps",
        ),
        by_class=True,
    ),
    "acgan": Entry(
        "AC-GAN on MNIST",
        (
            "acgan",
            "--data=mnist:path={data}",
            "--generator=dcgan:width=32",
            "--discriminator=auxiliary:of='gantk:dcgan:width=32'",
            "--set=stages.game.batch_size=64",
            "--set=stages.game.length=2500 steps",
        ),
        by_class=True,
    ),
    "self-modulation": Entry(
        "Self-modulation on MNIST",
        (
            "self-modulation",
            "--data=mnist:path={data}",
            "--generator=modulated:of='gantk:dcgan:width=32',by=noise,hidden=32",
            "--discriminator=dcgan:width=32",
            "--set=stages.game.batch_size=64",
            "--set=stages.game.length=2500 steps",
        ),
    ),
    "deligan": Entry(
        "DeLiGAN on 500 images of MNIST",
        (
            "deligan",
            "--data=subset:of='mnist:path={data}',images=500",
            "--set=stages.game.length=4000 steps",
        ),
        scored=("--data=mnist:path={data}",),
        note="500 images, 50 of each digit, as in the paper. The scores compare with all 60,000 images of MNIST.",
    ),
    "sagan": Entry(
        "SAGAN on MNIST by class",
        (
            "sagan",
            "--data=mnist:path={data}",
            "--condition=class",
            "--set=generator.width=16",
            "--set=discriminator.width=16",
            "--set=stages.game.batch_size=32",
            "--set=stages.game.discriminator.lr=1.2e-3",
            "--set=stages.game.generator.lr=3e-4",
            "--set=stages.game.length=1500 steps",
            "--set=train.ema=0.99",
        ),
        by_class=True,
        note="Narrow networks and few steps, at three times the paper's learning rates.",
    ),
}
