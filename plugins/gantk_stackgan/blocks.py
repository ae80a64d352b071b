"""Layers of both generators."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gantk.nn import Size, halve_until

__all__ = [
    "GatedResidual",
    "base_sizes",
    "gated",
    "narrowing",
    "projection",
    "rectified",
    "spread_over",
    "to_image",
    "up_gated",
    "up_rectified",
]

LARGEST_BASE = 7
"""Images are halved until their shorter side is at most this: 64 → … → 4, 28 → 14 → 7."""


def base_sizes(size: Size) -> list[Size]:
    """Sizes from the smallest map's up to the image's."""
    return [size] if min(size) <= LARGEST_BASE else halve_until(size, LARGEST_BASE)[::-1]


def projection(inputs: int, channels: int, size: Size, activation: nn.Module, gates: int = 1) -> nn.Sequential:
    """From a vector to a map of `channels` channels; the activation reads `gates` times as many."""
    outputs = channels * gates * size[0] * size[1]
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=False),
        nn.BatchNorm1d(outputs),
        activation,
        nn.Unflatten(1, (channels, *size)),
    )


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def rectified(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution 3×3, batch normalization, ReLU."""
    return nn.Sequential(_convolution(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU())


def gated(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution 3×3, batch normalization, gated linear unit."""
    return nn.Sequential(_convolution(inputs, 2 * outputs), nn.BatchNorm2d(2 * outputs), nn.GLU(dim=1))


def up_rectified(inputs: int, outputs: int, size: Size) -> nn.Sequential:
    """Nearest-neighbor upsampling to a size, then `rectified`."""
    return nn.Sequential(nn.Upsample(size=size), *rectified(inputs, outputs))


def up_gated(inputs: int, outputs: int, size: Size) -> nn.Sequential:
    """Nearest-neighbor upsampling to a size, then `gated`."""
    return nn.Sequential(nn.Upsample(size=size), *gated(inputs, outputs))


def to_image(inputs: int, channels: int) -> nn.Sequential:
    """Convolution 3×3 to an image in [-1, 1]."""
    return nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.Tanh())


class GatedResidual(nn.Module):
    """x + f(x), where f is a gated convolution, then a convolution and batch normalization."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *gated(channels, channels), _convolution(channels, channels), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return y


def spread_over(vectors: Tensor, maps: Tensor) -> Tensor:
    """`[N, dim]` vectors as constant channels of maps `[N, C, H, W]`."""
    return vectors[:, :, None, None].expand(-1, -1, *maps.shape[2:]).to(maps.dtype)


def narrowing(widest: int, count: int) -> Sequence[int]:
    """Channels that halve from one map to the next, at least one."""
    return [max(1, widest >> depth) for depth in range(count)]
