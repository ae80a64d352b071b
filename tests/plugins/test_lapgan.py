"""LAPGAN: its parts' contracts, networks, pyramid and schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from weighted import layers
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.schedule import Batch, Step
from gantk.testing import DiscriminatorContract, GeneratorContract
from gantk_lapgan.discriminator import LAPGANDiscriminator
from gantk_lapgan.generator import LAPGANGenerator
from gantk_lapgan.pyramid import shrunk, split_evenly, upsampled
from gantk_lapgan.recipe import ResidualGames

LAPGAN: dict[str, Any] = {
    "recipe": "lapgan",
    "noise": "uniform:dim=6",
    "generator": "lapgan:hidden=8,width=2",
    "discriminator": "pyramid:of='lapgan:hidden=8,width=2'",
}
CLASS = {"condition": "class"}
SIZES = ("4x5", "8x9", "16x18")


class TestLAPGANGenerator(GeneratorContract):
    plugin = "lapgan:hidden=8,width=2"
    shapes = ((1, 20, 16), (3, 33, 17))


class TestLAPGANDiscriminator(DiscriminatorContract):
    plugin = "lapgan:hidden=8,width=2"
    shapes = ((1, 20, 16), (3, 8, 5))


@pytest.fixture(autouse=True)
def _alike() -> None:
    torch.manual_seed(0)


def test_networks_are_the_papers() -> None:
    """CIFAR-10: 8 → 16 → 32 (section 3.2 and the authors' code), by class; the noise has 100 numbers for each level."""
    generator = LAPGANGenerator((3, 32, 32), 310, 10)
    assert layers(generator.coarsest) == ["linear 110→1200", "linear 1200→1200", "linear 1200→192"]
    convolutions = ["conv 5→64 7 /1", "conv 64→64 7 /1", "conv 64→3 5 /1"]
    for level, pixels in zip(generator.finer, (256, 1024), strict=True):
        assert layers(level) == [f"linear 100→{pixels}", f"linear 10→{pixels}", *convolutions]
    dense = ["linear 202→600", "dropout 0.5", "linear 600→600", "dropout 0.5", "linear 600→1"]
    assert layers(LAPGANDiscriminator((3, 8, 8), 10)) == dense
    for side, left in ((16, 4), (32, 12)):
        assert layers(LAPGANDiscriminator((3, side, side), 10)) == [
            f"linear 10→{side**2}",
            *("conv 4→64 5 /1", "conv 64→64 5 /2", "dropout 0.5"),
            f"linear {64 * left**2}→1",
        ]


def test_the_pyramid_by_hand() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert shrunk(image, (2, 2)).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    row = upsampled(torch.tensor([[[[0.0, 4.0]]]]), (1, 4))
    assert row.flatten().tolist() == [0, 1, 3, 4]
    assert split_evenly(11, 3) == [(0, 4), (4, 8), (8, 11)]


def test_an_image_is_its_pyramid_summed_up() -> None:
    """Levels that return the residual of the image regenerate it."""
    image = torch.rand(2, 1, 12, 12) * 2 - 1
    generator = LAPGANGenerator((1, 12, 12), 6, 0, levels=2, hidden=4, width=2)

    class Known(nn.Module):
        def forward(self, noise: Tensor, low: Tensor | None = None) -> Tensor:
            return shrunk(image, (6, 6)) if low is None else image - low

    generator.coarsest, generator.finer = Known(), nn.ModuleList([Known()])  # type: ignore[assignment]
    torch.testing.assert_close(generator(torch.zeros(2, 6)), image)


def test_every_level_has_noise_of_its_own() -> None:
    generator = LAPGANGenerator((1, 12, 12), 6, 0, levels=2, hidden=16, width=2).eval()
    noise, low = torch.rand(1, 6), torch.rand(1, 1, 12, 12)
    first, last = noise.clone(), noise.clone()
    first[:, :3] += 1
    last[:, 3:] += 1
    coarsest, (finer,) = generator.coarsest, generator.finer
    assert torch.equal(coarsest(noise), coarsest(last))
    assert not torch.equal(coarsest(noise), coarsest(first))
    assert torch.equal(finer(noise, low), finer(first, low))
    assert not torch.equal(finer(noise, low), finer(last, low))


def step_of(model: gantk.Model, data: ArraySource) -> Step:
    model.eval()
    (stage,) = model.built.stages
    step = model.step(Batch(data.images(range(4)).float() / 127.5 - 1, data.labels(range(4))), stage.values)
    step.begin(["generator"])
    return step


@pytest.mark.parametrize("pairs", [False, True])
def test_each_level_judges_what_a_real_image_lacks(pairs: bool, tiny_pictures: ArraySource) -> None:
    model = gantk.build(**{**LAPGAN, "recipe": ("lapgan", {"pairs": pairs})}, data=tiny_pictures)
    step = step_of(model, tiny_pictures)
    noise, real = step["noise"], step["real"]
    for index, size in enumerate([(4, 5), (8, 9), (16, 18)]):
        image = F.adaptive_avg_pool2d(real, size)
        if index:
            below = F.adaptive_avg_pool2d(real, [(4, 5), (8, 9)][index - 1])
            low = F.interpolate(below, size, mode="bilinear")
            residual = model.generator.get_submodule(f"finer.{index - 1}")(noise, low)
        else:
            low, residual = torch.zeros_like(image), model.generator.get_submodule("coarsest")(noise)
        for kind, rest in (("real", image - low), ("fake", residual)):
            expected = torch.cat([low, rest], dim=1) if pairs else low + rest
            torch.testing.assert_close(step[f"judged-{kind}-{SIZES[index]}"], expected)
    judged = model.built.recipe.judged(model, real)
    torch.testing.assert_close(judged, step[f"judged-real-{SIZES[-1]}"])


def test_every_player_moves_its_level(tiny_pictures: ArraySource) -> None:
    (stage,) = gantk.build(**LAPGAN, data=tiny_pictures).built.stages
    assert [(player.name, player.moves) for player in stage.players] == [
        ("discriminator-4x5", ("discriminator.judges.0",)),
        ("generator-4x5", ("generator.coarsest",)),
        ("discriminator-8x9", ("discriminator.judges.1",)),
        ("generator-8x9", ("generator.finer.0",)),
        ("discriminator-16x18", ("discriminator.judges.2",)),
        ("generator-16x18", ("generator.finer.1",)),
    ]


def test_the_whole_way(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build(**LAPGAN, **CLASS, data=tiny_pictures, settings=SHORT)
    goes_the_whole_way(model, tiny_pictures, tmp_path)


FOREIGN: list[dict[str, Any]] = [
    {"loss": ["wgan-gp", "hidden"], **CLASS},
    {"refiner": "denoiser:width=2"},
    {"noise": "de:dim=6,autoencoder='vae:width=2'", "discriminator": "pyramid:of='stackgan:width=2'", **CLASS},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda parts: "+".join(map(str, parts.values())))
def test_foreign_parts_go_with_it(foreign: dict[str, Any], tiny_pictures: ArraySource) -> None:
    model = gantk.build(**{**LAPGAN, **foreign}, data=tiny_pictures)
    assert model.sample(2, seed=0).shape == (2, 1, 16, 18)


def test_vectors_condition_it(tiny_pictures: ArraySource) -> None:
    vectors = np.random.default_rng(0).standard_normal((24, 3)).astype(np.float32)
    data = ArraySource(tiny_pictures.images(range(24)).numpy(), vectors)
    model = gantk.build(**LAPGAN, condition="vector", data=data)
    one, other = (model.sample(2, seed=0, condition=text) for text in ("0,0,5", "5,0,0"))
    assert not torch.equal(one, other)


def test_what_does_not_fit_is_refused(tiny_pictures: ArraySource) -> None:
    with pytest.raises(FitError, match="--discriminator pyramid:sizes=3"):
        gantk.build(**{**LAPGAN, "discriminator": "dcgan:width=4"}, data=tiny_pictures)
    with pytest.raises(FitError, match="each of 3 levels reads noise of its own, and there are 2"):
        LAPGANGenerator((1, 12, 12), 2, 0)
    other = gantk.build("dcgan", generator="dcgan:width=2", discriminator="dcgan:width=2", data=tiny_pictures)
    with pytest.raises(FitError, match="--generator lapgan"):
        ResidualGames().stages(other)
