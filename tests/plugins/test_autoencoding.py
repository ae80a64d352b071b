"""BEGAN and EBGAN: networks, losses by hand, k, and games with other parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small import small_parts
from torch import Tensor, nn
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import Discriminator, Loss, Play, Verdict
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import FitError, OptionError
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.testing import DiscriminatorContract, GeneratorContract, LossContract
from gantk.training.progress import Silent
from gantk_autoencoding.losses import BEGAN, EBGAN, pulling_away
from gantk_autoencoding.networks import AutoencodingDiscriminator, BEGANGenerator, EBGANDiscriminator


class TestBEGANGenerator(GeneratorContract):
    plugin = "began:width=2"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestAutoencodingDiscriminator(DiscriminatorContract):
    plugin = "autoencoding:width=2,embedding=4"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestEBGANDiscriminator(DiscriminatorContract):
    plugin = "ebgan:width=2"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestBEGAN(LossContract):
    plugin = "began"


class TestEBGAN(LossContract):
    plugin = "ebgan:margin=2.0"


class TestEBGANWithoutPulling(LossContract):
    plugin = "ebgan:margin=2.0,pulling=0.0"


def _convolutions(network: nn.Module) -> list[tuple[int, int, int]]:
    return [(m.in_channels, m.out_channels, m.stride[0]) for m in network.modules() if isinstance(m, nn.Conv2d)]


def test_networks_of_began_are_the_papers() -> None:
    """At 32x32: sizes 32, 16 and 8, two convolutions at each, channels n, 2n, 3n down and n up."""
    judge, generator = AutoencodingDiscriminator((3, 32, 32)), BEGANGenerator((3, 32, 32), 64)
    up = [(64, 64, 1)] * 6 + [(64, 3, 1)]
    down = [(3, 64, 1)]
    blocks = [(64, 64, 1), (64, 64, 1), (64, 128, 1), (128, 128, 1), (128, 192, 1), (192, 192, 1)]
    strided = [(64, 64, 2), (128, 128, 2)]
    assert _convolutions(judge) == [*down, *blocks, *strided, *up]
    assert _convolutions(generator) == up
    linear = [(m.in_features, m.out_features) for m in judge.modules() if isinstance(m, nn.Linear)]
    assert linear == [(64, 64 * 64), (192 * 64, 64)] or linear == [(192 * 64, 64), (64, 64 * 64)]
    kernels = {m.kernel_size for m in judge.modules() if isinstance(m, nn.Conv2d)}
    assert kernels == {(3, 3)}
    expected = sum(9 * i * o + o for i, o, _ in up) + 64 * 4096 + 4096
    assert sum(p.numel() for p in generator.parameters()) == expected
    assert generator(50 * torch.randn(2, 64)).abs().max() <= 1


def test_networks_of_began_begin_with_outputs_that_follow_their_inputs() -> None:
    """With PyTorch's initial weights, reconstructions of different images hardly differ."""
    torch.manual_seed(0)
    judge, generator = AutoencodingDiscriminator((1, 28, 28), width=16), BEGANGenerator((1, 28, 28), 64, width=16)
    images, noise = 2 * torch.rand(64, 1, 28, 28) - 1, 2 * torch.rand(64, 64) - 1

    def spread(outputs: Tensor) -> float:
        return outputs.std(0).mean().item()

    with torch.no_grad():
        assert spread(judge.autoencoded(images)[0]) > 0.01
        assert spread(generator(noise)) > 0.01
        for layer in judge.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                layer.reset_parameters()
        assert spread(judge.autoencoded(images)[0]) < 1e-4


@pytest.mark.parametrize("exponent", [1, 2])
def test_the_logit_is_a_reconstruction_error(exponent: Any) -> None:
    judge, images = (
        AutoencodingDiscriminator((1, 16, 18), width=2, embedding=3, exponent=exponent),
        torch.rand(3, 1, 16, 18),
    )
    verdict = judge(images)
    embedding = verdict.hidden[-1]
    assert embedding.shape == (3, 3)
    error = (images - judge.decoder(embedding)).abs().pow(exponent).mean(dim=(1, 2, 3))
    torch.testing.assert_close(-verdict.logits, error)


@pytest.mark.parametrize("loss", ["began", "ebgan"])
@pytest.mark.parametrize("width", [4, 64])
def test_a_discriminator_without_an_energy_is_refused(loss: str, width: int, tiny_pictures: ArraySource) -> None:
    """Whatever the signs of its first logits are."""
    with pytest.raises(FitError, match=f"loss '{loss}' needs energy, which discriminator 'dcgan' does not provide"):
        gantk.build(data=tiny_pictures, loss=loss, discriminator=f"dcgan:width={width}", generator="dcgan:width=4")


def test_the_energy_of_ebgan_is_a_length() -> None:
    judge, images = EBGANDiscriminator((1, 16, 18), width=2, norm="layer"), torch.rand(3, 1, 16, 18)
    verdict = judge(images)
    decoded = judge.image(judge.up(verdict.hidden[-1]))
    torch.testing.assert_close(-verdict.logits, (images - decoded).square().sum(dim=(1, 2, 3)).sqrt())


class Sum(Discriminator):
    """Minus the sum of an image's pixels; its hidden map is the image."""

    provides = frozenset({"logits", "hidden"})

    def __init__(self, sign: float = -1.0) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=self.sign * images.flatten(1).sum(dim=1), hidden=(images,))


REAL, FAKE = torch.full((2, 1, 2, 2), 0.5), torch.full((2, 1, 2, 2), 0.25)
"""Energies 2 and 1."""


def test_began_by_hand() -> None:
    loss = BEGAN(gamma=0.75, rate=0.1)
    play = Play(Sum(), real=REAL, fake=FAKE, state={"k": torch.tensor(0.3)})
    assert loss.discriminator(play).item() == pytest.approx(2.0 - 0.3 * 1.0)
    assert loss.generator(play).item() == pytest.approx(1.0)
    assert loss.after_discriminator(play)["k"].item() == pytest.approx(0.3 + 0.1 * (0.75 * 2.0 - 1.0))
    assert play.logged["convergence"][0].item() == pytest.approx(2.0 + abs(0.75 * 2.0 - 1.0))
    low = Play(Sum(), real=FAKE, fake=REAL, state={"k": torch.tensor(0.0)})
    assert loss.after_discriminator(low)["k"].item() == 0
    high = Play(Sum(), real=20 * REAL, fake=FAKE, state={"k": torch.tensor(0.9)})
    assert loss.after_discriminator(high)["k"].item() == 1


def test_began_weighs_generated_images_by_k() -> None:
    play = Play(Sum(), real=FAKE, fake=REAL, state={"k": torch.tensor(0.3)})
    assert BEGAN().discriminator(play).item() == pytest.approx(1.0 - 0.3 * 2.0)
    assert {name: value.item() for name, (value, _) in play.logged.items()} == pytest.approx(
        {"real": 1.0, "fake": 2.0, "convergence": 1.0 + 1.5}
    )
    assert play.logged["convergence"][1] == 0, "it is no part of the term"


class Deep(Sum):
    """Its deepest map says that no two images are alike."""

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=super().forward(images).logits, hidden=(images, torch.eye(len(images))))


def test_ebgan_pulls_away_the_deepest_maps_and_says_so() -> None:
    loss, play = EBGAN(margin=3, pulling=0.5), Play(Deep(), real=REAL, fake=FAKE)
    assert loss.generator(play).item() == pytest.approx(1.0)
    loss.discriminator(play)
    assert {name: (value.item(), weight) for name, (value, weight) in play.logged.items()} == {
        "energy": (1.0, 1.0),
        "pulling": (0.0, 0.5),
        "real": (2.0, 1.0),
        "fake": (2.0, 1.0),
    }
    assert loss.needs == {"logits", "energy", "hidden"}
    assert EBGAN(pulling=0.0).needs == {"logits", "energy"}, "any discriminator with energies will do"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("began:gamma=0", r"gamma must be in \(0, 1\]"),
        ("began:gamma=1.01", r"gamma must be in \(0, 1\]"),
        ("began:rate=0", "rate must be positive and finite"),
        ("began:rate=inf", "rate must be positive and finite"),
        ("ebgan:margin=0", "margin must be positive and finite"),
        ("ebgan:margin=inf", "margin must be positive and finite"),
        ("ebgan:pulling=-1", "pulling must be 0 or more and finite"),
        ("ebgan:pulling=inf", "pulling must be 0 or more and finite"),
    ],
)
def test_options_out_of_range_are_refused(spec: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        construct("loss", spec)


def test_defaults_are_the_papers() -> None:
    began, ebgan = BEGAN(), EBGAN()
    assert (began.gamma, began.rate, began.weight, dict(began.state)) == (0.5, 1e-3, 1.0, {"k": 0.0})
    assert (ebgan.margin, ebgan.pulling, ebgan.weight) == (10.0, 0.1, 1.0)
    assert BEGAN(gamma=1.0).gamma == 1.0


@pytest.mark.parametrize(("margin", "expected"), [(3.0, 2.0 + 2.0), (0.5, 2.0)])
def test_ebgan_by_hand(margin: float, expected: float) -> None:
    """Two generated images that are alike have a cosine of 1."""
    loss, play = EBGAN(margin=margin, pulling=0.25), Play(Sum(), real=REAL, fake=FAKE)
    assert loss.discriminator(play).item() == pytest.approx(expected)
    assert loss.generator(play).item() == pytest.approx(1.0 + 0.25)
    assert EBGAN(pulling=0.0).generator(play).item() == pytest.approx(1.0)


def test_pulling_away_by_hand() -> None:
    """Cosines of 0, ½√2 and ½√2: squares 0, ½, ½, each pair twice, over 3 · 2."""
    rows = torch.tensor([[2.0, 0.0], [0.0, 3.0], [5.0, 5.0]])
    assert pulling_away(rows).item() == pytest.approx((0 + 0.5 + 0.5) * 2 / 6)
    assert pulling_away(rows[:1]).item() == 0


@pytest.mark.parametrize("loss", [BEGAN(), EBGAN()])
def test_logits_that_are_no_errors_are_refused(loss: Loss) -> None:
    with pytest.raises(FitError, match="--discriminator autoencoding"):
        loss.generator(Play(Sum(1.0), real=REAL, fake=FAKE))  # type: ignore[attr-defined]


def built(recipe: str, data: ArraySource, **parts: Any) -> gantk.Model:
    settings = {**SHORT, **parts.pop("settings", {})}
    return gantk.build(recipe, data=data, settings=settings, **{**small_parts({"recipe": recipe}), **parts})


def test_k_and_convergence_are_logged(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = built("began", tiny_pictures, loss="began:gamma=1.0,rate=0.5")
    gantk.train(model, tmp_path / "run", progress=Silent())
    k = 0.0
    for line in read_log(Run(tmp_path / "run").log_file):
        values = line["values"]
        real, fake = values["discriminator/began/real"], values["discriminator/began/fake"]
        assert values["discriminator/began"] == pytest.approx(real - k * fake, abs=1e-5)
        k = min(1.0, max(0.0, k + 0.5 * (real - fake)))
        assert values["discriminator/state/began.k"] == pytest.approx(k, abs=1e-5)
        assert values["discriminator/began/convergence"] == pytest.approx(real + abs(real - fake), abs=1e-5)


OTHERS: dict[str, dict[str, Any]] = {
    "EBGAN by class on BEGAN's networks": {
        "recipe": "ebgan",
        "condition": "class",
        "generator": "began:width=2",
        "discriminator": "autoencoding:width=2,embedding=4",
    },
    "BEGAN's game on EBGAN's energy, with the denoiser": {
        "recipe": "began",
        "discriminator": "ebgan:width=2",
        "refiner": "denoiser:width=4",
    },
    "an autoencoder as critic of WGAN-GP": {"recipe": "wgan-gp", "discriminator": "ebgan:width=2"},
}


@pytest.mark.parametrize("parts", OTHERS.values(), ids=OTHERS)
def test_other_parts_go_the_whole_way(parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path) -> None:
    given = dict(parts)
    goes_the_whole_way(built(given.pop("recipe"), tiny_pictures, **given), tiny_pictures, tmp_path)
