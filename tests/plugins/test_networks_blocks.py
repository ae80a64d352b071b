"""gantk.nn: sizes are planned and hit exactly, and weights start as they should."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gantk import nn as blocks
from gantk.errors import FitError, OptionError


def test_chains_of_halvings() -> None:
    assert blocks.halved((28, 28), 2) == [(28, 28), (14, 14), (7, 7)]
    assert blocks.halved((33, 17), 2) == [(33, 17), (17, 9), (9, 5)]
    assert blocks.halve_until((28, 28), 4, rounding="down") == [(28, 28), (14, 14), (7, 7), (3, 3)]
    assert blocks.halve_until((96, 64), 7)[-1] == (6, 4)


def test_a_size_that_cannot_be_halved_is_refused_with_both_numbers() -> None:
    with pytest.raises(FitError, match=r"4x9 pixels can be halved at most 2 times, but 3 are needed"):
        blocks.halved((4, 9), 3)
    with pytest.raises(FitError, match=r"7x20 pixels are too small.* at least 8 pixels"):
        blocks.halve_until((7, 20), 7)


@pytest.mark.parametrize("kernel", range(3, 12))
@pytest.mark.parametrize("side", range(1, 20))
def test_resampling_hits_every_size_exactly(kernel: int, side: int) -> None:
    down = blocks.downsampler(1, 1, (side, side + 1), kernel)
    assert down(torch.zeros(1, 1, side, side + 1)).shape[2:] == ((side + 1) // 2, (side + 2) // 2)
    for target in {max(1, 2 * side - 1), 2 * side, 2 * side + 1}:
        up = blocks.upsampler(1, 1, (side, side), (target, 2 * side), kernel)
        assert up(torch.zeros(1, 1, side, side)).shape[2:] == (target, 2 * side)


@pytest.mark.parametrize("kernel", range(3, 8))
@pytest.mark.parametrize("side", range(1, 12))
def test_every_pixel_reaches_a_strided_convolution(kernel: int, side: int) -> None:
    down = blocks.downsampler(1, 1, (side, side), kernel)
    nn.init.ones_(down.weight)
    image = torch.zeros(1, 1, side, side, requires_grad=True)
    down(image).sum().backward()
    assert image.grad is not None
    assert (image.grad > 0).all()


def test_five_by_five_upsampler_has_the_paddings_of_the_text_book() -> None:
    found = {t: blocks.upsampler(1, 1, (7, 7), (t, t), 5) for t in (13, 14, 15)}
    assert {t: (m.padding, m.output_padding) for t, m in found.items()} == {
        13: ((2, 2), (0, 0)),
        14: ((2, 2), (1, 1)),
        15: ((1, 1), (0, 0)),
    }


@pytest.mark.parametrize("target", [1, 40])
def test_an_impossible_upsampling_is_refused(target: int) -> None:
    with pytest.raises(FitError, match=rf"cannot map 7 pixels to {target}, only to"):
        blocks.upsampler(1, 1, (7, 7), (target, target), 5)


def test_the_reach_that_an_upsampler_states_is_its_reach() -> None:
    with pytest.raises(FitError, match=r"only to 9 … 18\."):
        blocks.upsampler(1, 1, (7, 7), (99, 99), 5)
    for target in (9, 18):
        assert blocks.upsampler(1, 1, (7, 7), (target, 14), 5)(torch.zeros(1, 1, 7, 7)).shape[2:] == (target, 14)
    for target in (8, 19):
        with pytest.raises(FitError):
            blocks.upsampler(1, 1, (7, 7), (target, 14), 5)


@pytest.mark.parametrize("kernel", [0, 2, 12])
def test_absurd_kernels_are_refused(kernel: int) -> None:
    with pytest.raises(OptionError, match=rf"not {kernel}"):
        blocks.check_kernel(kernel)


def _normalized(name: blocks.Norm, vectors: bool) -> torch.Tensor:
    torch.manual_seed(0)
    x = 5 + 3 * torch.randn(6, 4, *(() if vectors else (8, 8)))
    normalized: torch.Tensor = blocks.normalization(name, 4, vectors=vectors)(x)
    return normalized


@pytest.mark.parametrize(
    ("name", "vectors", "over"),
    [
        ("batch", False, (0, 2, 3)),
        ("instance", False, (2, 3)),
        ("layer", False, (1, 2, 3)),
        ("batch", True, (0,)),
        ("instance", True, (1,)),
        ("layer", True, (1,)),
    ],
)
def test_a_normalization_normalizes_what_its_name_says(name: blocks.Norm, vectors: bool, over: tuple[int, ...]) -> None:
    y = _normalized(name, vectors)
    torch.testing.assert_close(y.mean(over), torch.zeros_like(y.mean(over)), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(over, correction=0), torch.ones_like(y.mean(over)), atol=1e-3, rtol=0)


def test_no_normalization_changes_nothing() -> None:
    assert _normalized("none", vectors=False).mean() > 4


def test_initial_weights() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(200, 200), nn.Conv2d(64, 64, 5), nn.ConvTranspose2d(64, 64, 5, bias=False), nn.BatchNorm2d(50_000)
    )
    blocks.init_weights(net, 0.02)
    for layer in net.children():
        assert isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d))
        mean = 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0
        assert layer.weight.mean().item() == pytest.approx(mean, abs=5e-4)
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert layer.bias is None or not layer.bias.any()


def test_instance_normalization_of_single_pixels_is_refused() -> None:
    with pytest.raises(FitError, match="norm=layer"):
        blocks.DownStack(1, (8, 8), (4, 4, 4), norm="instance")
    stack = blocks.DownStack(1, (8, 9), (4, 4, 4), norm="instance")
    assert stack(torch.randn(2, 1, 8, 9))[-1].shape == (2, 4, 1, 2)


def test_evaluating_gives_every_module_its_own_mode_back() -> None:
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout().eval()))
    with blocks.evaluating(net):
        assert not any(m.training for m in net.modules())
    assert [m.training for m in net.modules()] == [True, True, True, False]
