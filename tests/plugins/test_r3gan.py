"""R3GAN: networks against the authors', initialization, resampling, and the preset."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small import small_parts
from torch import nn
from torch.nn import functional as F
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import OptionError
from gantk.testing import DiscriminatorContract, GeneratorContract
from gantk_r3gan.layers import Block, Resample


class TestR3GANGenerator(GeneratorContract):
    plugin = "r3gan:width=4,largest=8,blocks=1"


class TestR3GANDiscriminator(DiscriminatorContract):
    plugin = "r3gan:width=4,largest=8,blocks=1,code=true"


def made(kind: str, spec: str, shape: tuple[int, int, int] = (1, 28, 28), noise_dim: int = 64) -> Any:
    return construct(kind, spec, image_shape=shape, noise_dim=noise_dim)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("spec", "size", "widths"),
    [
        ("width=768,largest=768", 32, [768] * 4),
        ("width=384,largest=768", 64, [768] * 4 + [384]),
        ("width=96,largest=768", 256, [768] * 4 + [384, 192, 96]),
    ],
)
def test_the_authors_networks(spec: str, size: int, widths: list[int]) -> None:
    """Channels from the base to the image, and parameters counted by hand, on no device."""
    with torch.device("meta"):
        generator, judge = (made(kind, f"r3gan:{spec}", (3, size, size)) for kind in ("generator", "discriminator"))
    blocks = [each for each in generator.modules() if isinstance(each, Block)]
    assert [block.body[0].in_channels for block in blocks] == [w for w in widths for _ in range(2)]
    grouped = [block.body[2] for block in blocks]
    assert [layer.in_channels // layer.groups for layer in grouped] == [16] * len(blocks)
    in_blocks = sum(2 * (w * 2 * w + 2 * w * 16 * 9 + 2 * w * w + 2 * 2 * w) for w in widths)
    changes = sum(a * b for a, b in itertools.pairwise(widths) if a != b)
    assert parameters(generator) == in_blocks + changes + 16 * 768 + 64 * 768 + 3 * widths[-1]
    assert parameters(judge) == in_blocks + changes + 16 * 768 + 768 + 3 * widths[-1]


@pytest.mark.parametrize(("size", "sizes"), [((28, 28), [4, 7, 14, 28]), ((20, 30), [3, 5, 10, 20])])
def test_sizes_are_halved_to_a_base_of_four(size: tuple[int, int], sizes: list[int]) -> None:
    verdict = made("discriminator", "r3gan:width=4,largest=4,blocks=1", (1, *size))(torch.rand(2, 1, *size))
    assert [each.shape[2] for each in verdict.hidden] == sizes[::-1]


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_initial_weights(kind: str) -> None:
    """N(0, gain² / inputs), the last convolution of each block zero, so that at first every block is the identity."""
    network = made(kind, "r3gan:width=128,largest=128,blocks=2")
    gain = math.sqrt(2 / 1.04) * 8 ** (-1 / 4)
    for block in (each for each in network.modules() if isinstance(each, Block)):
        for layer in (block.body[0], block.body[2]):
            expected = gain / math.sqrt(layer.weight[0].numel())
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
            assert not layer.bias.any()
        assert not block.body[4].weight.any()
        maps = torch.randn(1, 128, 4, 4)
        assert torch.equal(block(maps), maps)
    linear = network.basis.weights if kind == "generator" else network.logit
    assert linear.weight.std().item() == pytest.approx(1 / math.sqrt(linear.in_features), rel=0.3)


def test_a_new_generator_has_images_of_every_brightness() -> None:
    torch.manual_seed(0)
    images = made("generator", "r3gan:width=16,largest=16")(torch.randn(64, 64))
    assert images.abs().max() <= 1
    assert 0.3 < images.std() < 0.9


@pytest.mark.parametrize(
    ("source", "target"), [((4, 4), (7, 7)), ((8, 6), (16, 12)), ((28, 28), (14, 14)), ((7, 5), (4, 3))]
)
def test_resampling_is_bilinear(source: tuple[int, int], target: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *source)
    expected = F.interpolate(maps, target, mode="bilinear", antialias=True)
    torch.testing.assert_close(Resample(source, target)(maps), expected)


def test_halving_and_doubling_filter_with_one_three_three_one() -> None:
    half, double = Resample((8, 8), (4, 4)).rows, Resample((4, 4), (8, 8)).rows
    torch.testing.assert_close(half[1], torch.tensor([0, 1, 3, 3, 1, 0, 0, 0]) / 8)
    torch.testing.assert_close(double[:, 1], torch.tensor([0, 1, 3, 3, 1, 0, 0, 0]) / 4)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("r3gan:width=0", "width must be at least 1"),
        ("r3gan:width=8,largest=4", "largest must be at least width=8"),
        ("r3gan:width=12,group=16", "group=16 must divide the 24 channels"),
    ],
)
def test_options_that_do_not_fit_are_refused(spec: str, says: str) -> None:
    for kind in ("generator", "discriminator"):
        with pytest.raises(OptionError, match=says):
            made(kind, spec)


def test_the_preset_goes_the_whole_way(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build("r3gan", data=tiny_pictures, settings=SHORT, **small_parts({"recipe": "r3gan"}))
    assert [name for name, _ in model.losses] == ["relativistic", "r1", "r2"]
    goes_the_whole_way(model, tiny_pictures, tmp_path)
