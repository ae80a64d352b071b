"""StackGAN and StackGAN-v2: their parts' contracts, networks, objectives and schedules."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from weighted import layers
from whole_way import SHORT, goes_the_whole_way, weights

import gantk
from gantk import Model
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.run.folder import Run
from gantk.schedule import Batch, Player, Step
from gantk.testing import DiscriminatorContract, GeneratorContract
from gantk.training.progress import Silent
from gantk_stackgan.conditioning import Inputs
from gantk_stackgan.discriminator import StackGANDiscriminator
from gantk_stackgan.generator import StackGANGenerator
from gantk_stackgan.recipe import ColorConsistency, GamePerSize, StackedGames, colors
from gantk_stackgan.tree import StackGANv2Generator

ONE: dict[str, Any] = {
    "recipe": "stackgan",
    "noise": "gaussian:dim=6",
    "generator": "stackgan:width=2,residual=1",
    "discriminator": "pyramid:of='stackgan:width=2,condition_width=4'",
}
TWO: dict[str, Any] = {
    "recipe": "stackgan-v2",
    "noise": "gaussian:dim=6",
    "generator": "stackgan-v2:width=1,residual=1,sizes=2",
    "discriminator": "pyramid:of='stackgan:width=2,condition_width=4,unconditional=true',sizes=2",
}
CLASS = {"condition": "class"}


class TestStackGANGenerator(GeneratorContract):
    plugin = "stackgan:width=2,residual=1"
    shapes = ((1, 20, 16), (3, 33, 17))


class TestStackGANv2Generator(GeneratorContract):
    plugin = "stackgan-v2:width=1,residual=1"
    shapes = ((1, 20, 16), (3, 33, 17))

    def _outputs(self, part: Any, shape: Any) -> list[Tensor]:
        return list(part.tree(self._noise()))


class TestStackGANDiscriminator(DiscriminatorContract):
    plugin = "stackgan:width=2,condition_width=4"
    shapes = ((1, 20, 16), (3, 33, 17))


class TestPyramidDiscriminator(DiscriminatorContract):
    plugin = "pyramid:of='stackgan:width=2,condition_width=4',sizes=2"
    shapes = ((1, 20, 16), (3, 33, 17))

    def _judged(self, part: Any, shape: Any) -> list[Tensor]:
        return [self._images((shape[0], *size)) for size in part.sizes]


@pytest.fixture(autouse=True)
def _alike() -> None:
    torch.manual_seed(0)


def test_stage_one_is_the_authors() -> None:
    """64×64 from 4×4 with 8 · width channels, which each of four blocks halves; here width is 4."""
    first = StackGANGenerator((3, 256, 256), 228 + 10, 10, width=4, augmented=128).first
    blocks = [(32, 16), (16, 8), (8, 4), (4, 2)]
    assert layers(first) == [
        "linear 10→256",
        "linear 228→512",
        "bn 512",
        *(name for i, o in blocks for name in (f"conv {i}→{o} 3 /1", f"bn {o}")),
        "conv 2→3 3 /1",
    ]


def test_stage_two_is_the_authors() -> None:
    """Down from 64 to 16 pixels, joined with c, four residual blocks, up to 256; here width is 4."""
    second = StackGANGenerator((3, 256, 256), 228 + 10, 10, width=4, augmented=128).second
    blocks = [(16, 8), (8, 4), (4, 2), (2, 1)]
    assert layers(second) == [
        "linear 10→256",
        *("conv 3→4 3 /1", "conv 4→8 4 /2", "bn 8", "conv 8→16 4 /2", "bn 16"),
        *("conv 144→16 3 /1", "bn 16"),
        *4 * ["conv 16→16 3 /1", "bn 16", "conv 16→16 3 /1", "bn 16"],
        *(name for i, o in blocks for name in (f"conv {i}→{o} 3 /1", f"bn {o}")),
        "conv 1→3 3 /1",
    ]


def test_the_tree_is_the_authors() -> None:
    """64, 128 and 256 pixels from 4×4 with 16 · width channels; gated convolutions have twice as many; width is 2."""
    tree = StackGANv2Generator((3, 256, 256), 228 + 10, 10, width=2, augmented=128).tree
    blocks = [(32, 16), (16, 8), (8, 4), (4, 2)]

    def branch(c: int) -> list[str]:
        block = [f"conv {c}→{2 * c} 3 /1", f"bn {2 * c}", f"conv {c}→{c} 3 /1", f"bn {c}"]
        return [f"conv {c + 128}→{2 * c} 3 /1", f"bn {2 * c}", *2 * block, f"conv {c}→{c} 3 /1", f"bn {c}"]

    assert layers(tree) == [
        *("linear 10→256", "linear 228→1024", "bn 1024"),
        *(name for i, o in blocks for name in (f"conv {i}→{2 * o} 3 /1", f"bn {2 * o}")),
        *branch(2),
        *branch(1)[:-2],
        *("conv 1→2 3 /1", "bn 2"),
        *("conv 2→3 3 /1", "conv 1→3 3 /1", "conv 1→3 3 /1"),
    ]


@pytest.mark.parametrize(("side", "more"), [(64, ()), (128, ((16, 8),)), (256, ((32, 16), (16, 8)))])
def test_discriminators_are_the_authors(side: int, more: tuple[tuple[int, int], ...]) -> None:
    judge = StackGANDiscriminator((3, side, side), 4, 10, width=1, condition_width=12, unconditional=True)
    down = [1, 2, 4, 8, 16, 32][: int(math.log2(side)) - 2]
    assert layers(judge) == [
        "conv 3→1 4 /2",
        *(name for i, o in pairwise(down) for name in (f"conv {i}→{o} 4 /2", f"bn {o}")),
        *(name for i, o in more for name in (f"conv {i}→{o} 3 /1", f"bn {o}")),
        *("linear 10→12", "conv 20→8 3 /1", "bn 8", "linear 128→1", "linear 128→1"),
    ]


def test_conditioning_augmentation_by_hand() -> None:
    inputs = Inputs(noise_dim=7, condition_dim=2, augmented=2)
    noise = torch.randn(4, 7)
    found = inputs(noise)[0]
    assert inputs.gaussian is not None
    mean, log_variance = F.linear(noise[:, 5:], inputs.gaussian.weight, inputs.gaussian.bias).split(2, dim=1)
    assert torch.equal(found[:, :3], noise[:, :3])
    torch.testing.assert_close(found[:, 3:], mean + log_variance.exp().sqrt() * noise[:, 3:5])
    one, other = torch.distributions.Normal(mean, log_variance.exp().sqrt()), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(one, other).mean()
    torch.testing.assert_close(inputs.divergence(noise[:, 5:]), expected)


def test_noise_too_short_for_the_augmented_condition_is_refused() -> None:
    with pytest.raises(FitError, match=r"last 8 numbers of the noise.*has 6"):
        Inputs(noise_dim=8, condition_dim=2, augmented=8)


def test_colors_by_hand() -> None:
    small, large = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 8, 8)
    step = Step(nn.Module(), Batch(small), {"images": lambda step: (small, large)})
    terms = ColorConsistency(50.0)(step)
    mean = covariance = 0.0
    for one, other in zip(small.numpy(), large.numpy(), strict=True):
        pixels = [each.reshape(3, -1) for each in (one, other)]
        mean += ((pixels[0].mean(1) - pixels[1].mean(1)) ** 2).mean() / 2
        covariance += ((np.cov(pixels[0], bias=True) - np.cov(pixels[1], bias=True)) ** 2).mean() / 2
    assert terms["mean"].item() == pytest.approx(50 * mean, rel=1e-4)
    assert terms["covariance"].item() == pytest.approx(250 * covariance, rel=1e-4)
    assert colors(small)[1].shape == (2, 3, 3)


def begun(model: Model, stage: int, player: str, data: ArraySource) -> tuple[Player, Step]:
    """A player at the beginning of its turn."""
    found = model.built.stages[stage]
    if found.enter is not None:
        found.enter(model)
    images = data.images(range(8)).float() / 127.5 - 1
    step = model.step(Batch(images, data.labels(range(8))), found.values)
    (own,) = (each for each in found.players if each.name == player)
    step.begin(own.moves)
    return own, step


def test_pairs_are_matched(tiny_pictures: ArraySource) -> None:
    """The discriminator minimizes real + (wrong + fake) / 2; wrong pairs are real images with another condition."""
    model = gantk.build(**ONE, **CLASS, data=tiny_pictures)
    model.eval()
    player, step = begun(model, 0, "discriminator", tiny_pictures)
    terms = player.objective(step)
    judge = model.get_submodule("discriminator.judges.0")
    conditions, real = step["condition"], step["coarse"]
    wrong = real.roll(1, 0)
    assert not (conditions == conditions.roll(1, 0)).all(dim=1).any(), "neighbors have different classes here"

    def logits(images: Tensor) -> Tensor:
        found: Tensor = judge(images, conditions).logits
        return found

    told = F.softplus(-logits(real)).mean() + F.softplus(logits(step["coarse_fake"])).mean() / 2
    torch.testing.assert_close(torch.stack(list(terms.values())).sum(), told + F.softplus(logits(wrong)).mean() / 2)
    assert step.logged["mismatch/nonsaturating"][1] == 0.5
    assert set(terms) == {"game/nonsaturating", "mismatch/nonsaturating"}


def test_wrong_pairs_of_one_condition_are_generated_images(tiny_pictures: ArraySource) -> None:
    model = gantk.build(**ONE, **CLASS, data=tiny_pictures)
    stage = model.built.stages[0]
    labels = torch.tensor([0, 0, 1, 0])
    step = model.step(Batch(torch.rand(4, 1, 16, 18), labels), stage.values)
    step.begin(("discriminator.judges.0",))
    pairs, same = step["coarse-mismatched"], torch.tensor([True, True, False, False])
    assert torch.equal(pairs[same], step["coarse_fake"][same])
    assert torch.equal(pairs[~same], step["coarse"].roll(1, 0)[~same])


def test_each_size_is_judged_with_and_without_the_condition(tiny_pictures: ArraySource) -> None:
    model = gantk.build(**TWO, **CLASS, data=tiny_pictures)
    (stage,) = model.built.stages
    assert [player.name for player in stage.players] == ["discriminator-8x9", "discriminator-16x18", "generator"]
    player, step = begun(model, 0, "generator", tiny_pictures)
    terms = player.objective(step)
    games = {f"size-{size}/{game}/nonsaturating" for size in ("8x9", "16x18") for game in ("game", "unconditional")}
    assert set(terms) == games | {"size-16x18/game/generator", "color/mean", "color/covariance"}
    judge = model.get_submodule("discriminator.judges.1.unconditional")
    logits = judge(step["images"][1], step["condition"]).logits
    assert terms["size-16x18/unconditional/nonsaturating"].item() == pytest.approx(F.softplus(-logits).mean().item())
    assert isinstance(model.generator, StackGANv2Generator)
    divergence = model.generator.tree.inputs.divergence(step["condition"])
    torch.testing.assert_close(terms["size-16x18/game/generator"], 2 * divergence)


def test_any_discriminator_judges_without_conditions_by_zeros(tiny_pictures: ArraySource) -> None:
    of = {"discriminator": "pyramid:of='dcgan:width=2',sizes=2"}
    model = gantk.build(**{**TWO, **CLASS, **of}, data=tiny_pictures)
    player, step = begun(model, 0, "discriminator-16x18", tiny_pictures)
    terms = player.objective(step)
    model.eval()
    judge = model.get_submodule("discriminator.judges.1")
    shown = F.pad(torch.stack([step["real"], step["fake"]]), (0, 0, 0, 0, 0, 2))
    real, fake = (judge(images).logits for images in shown)
    expected = F.softplus(-real).mean() + F.softplus(fake).mean()
    assert terms["unconditional/nonsaturating"].item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize(("parts", "condition"), [(ONE, CLASS), (TWO, {})], ids=["stackgan by class", "v2"])
def test_the_whole_way(parts: dict[str, Any], condition: Any, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build(**parts, **condition, data=tiny_pictures, settings=SHORT)
    goes_the_whole_way(model, tiny_pictures, tmp_path)


def test_stage_two_leaves_stage_one_alone(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build(**ONE, data=tiny_pictures, settings=SHORT)
    run = Run(tmp_path / "run")
    gantk.train(model, run.path, progress=Silent())
    before, after = weights(run, 2), weights(run, 4)
    frozen = [name for name in before if name.startswith(("generator.first.", "discriminator.judges.0."))]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert not before["generator.refines"]
    assert after["generator.refines"]


def test_until_stage_two_the_images_are_stage_ones_enlarged() -> None:
    generator = StackGANGenerator((1, 16, 16), 6, 0, width=2, doublings=1).eval()
    noise = torch.randn(2, 6)
    generator.refines.fill_(False)
    torch.testing.assert_close(generator(noise), generator.first(noise).repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_foreign_networks_are_refused(tiny_pictures: ArraySource) -> None:
    with pytest.raises(FitError, match="--discriminator pyramid:sizes=2,doublings=2"):
        gantk.build(**{**ONE, "discriminator": "dcgan:width=4"}, data=tiny_pictures)
    other = gantk.build("dcgan", generator="dcgan:width=2", discriminator="dcgan:width=2", data=tiny_pictures)
    with pytest.raises(FitError, match="--generator stackgan"):
        StackedGames().stages(other)
    with pytest.raises(FitError, match="--generator stackgan-v2"):
        GamePerSize().stages(other)


FOREIGN: list[dict[str, Any]] = [
    {"loss": "wgan-gp", **CLASS},
    {"loss": ["minimax", "hidden", "code"], **CLASS},
    {"refiner": "denoiser:width=2", **CLASS},
    {"noise": "de:dim=6,autoencoder='vae:width=2'"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda parts: "+".join(map(str, parts.values())))
@pytest.mark.parametrize("parts", [ONE, TWO], ids=["stackgan", "v2"])
def test_foreign_parts_go_with_them(parts: dict[str, Any], foreign: dict[str, Any], tiny_pictures: ArraySource) -> None:
    model = gantk.build(**{**parts, **foreign}, data=tiny_pictures)
    assert model.sample(2, seed=0).shape == (2, 1, 16, 18)


def test_vectors_condition_them(tiny_pictures: ArraySource) -> None:
    vectors = np.random.default_rng(0).standard_normal((24, 3)).astype(np.float32)
    data = ArraySource(tiny_pictures.images(range(24)).numpy(), vectors)
    for parts in (ONE, TWO):
        model = gantk.build(**parts, condition="vector", data=data)
        one, other = (model.sample(2, seed=0, condition=text) for text in ("0,0,5", "5,0,0"))
        assert not torch.equal(one, other)


def test_stage_two_begins_with_stage_ones_images() -> None:
    """With `skip`, its output is added before the tanh; at first, it is small."""
    generator = StackGANGenerator((1, 16, 16), 6, 0, width=2, doublings=1, init_std=1e-4).eval()
    noise = torch.randn(2, 6)
    coarse = torch.rand(2, 1, 8, 8) * 1.8 - 0.9
    nn.init.zeros_(generator.second.correction.weight)
    expected = torch.tanh(F.interpolate(torch.atanh(coarse), (16, 16), mode="bilinear"))
    torch.testing.assert_close(generator.second(noise, coarse), expected)
    generator.second.skip = False
    assert not generator.second(noise, coarse).any()
