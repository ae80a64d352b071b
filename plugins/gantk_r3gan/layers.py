"""R3GAN's layers: residual blocks without normalization, resampling to any size, and the bases at the smallest map."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantk import require
from gantk.nn import Size, halve_until
from gantk.parts import ImageShape

__all__ = ["Basis", "Block", "Plan", "Resample", "scaled"]

M = TypeVar("M", nn.Conv2d, nn.Linear)

SLOPE = 0.2
"""Negative slope of every LeakyReLU."""

BASE = 4
"""The image is halved until its shorter side is at most this."""

LINEAR_LAYERS = 3
"""Convolutions of a block."""


class Plan:
    """Sizes, channels and blocks of a network, stage by stage, from the image down to the base.

    Args:
        image_shape: (channels, height, width) of the images.
        width: channels of the stage next to the image; they double with each halving.
        largest: the most channels of a stage.
        blocks: residual blocks of each stage.
        expansion: factor by which a block widens its channels.
        group: channels of a group in a block's 3x3 convolution.
    """

    def __init__(
        self, image_shape: ImageShape, *, width: int, largest: int, blocks: int, expansion: int, group: int
    ) -> None:
        options = {"width": width, "blocks": blocks, "expansion": expansion, "group": group}
        for name, value in options.items():
            require(value >= 1, f"{name} must be at least 1, not {value}.")
        require(largest >= width, f"largest must be at least width={width}, not {largest}.")
        self.sizes: list[Size] = halve_until(image_shape[1:], BASE)
        self.widths = [min(width * 2**depth, largest) for depth in range(len(self.sizes))]
        self.expansion, self.group, self.count = expansion, group, blocks
        for channels in self.widths:
            wide = channels * expansion
            require(
                wide % min(group, wide) == 0,
                f"group={group} must divide the {wide} channels of every block that has as many, as for width=16.",
            )

    def blocks(self, channels: int) -> list[nn.Module]:
        """The residual blocks of a stage."""
        total = self.count * len(self.sizes)
        return [Block(channels, channels * self.expansion, self.group, total) for _ in range(self.count)]


class Block(nn.Module):
    """x + f(x), where f is 1x1, grouped 3x3 and 1x1 convolution with LeakyReLU between; no normalization.

    The last convolution is zero at first, so that a block starts as the identity, and the gains of the others are
    scaled by L^(-1/4) for L blocks (Zhang, Dauphin & Ma 2019, arXiv:1901.09321): the variance does not grow with depth.

    Args:
        channels: channels of the map.
        wide: channels between the convolutions.
        group: channels of each group of the 3x3 convolution; at most `wide`.
        total: blocks of the whole network.
    """

    def __init__(self, channels: int, wide: int, group: int, total: int) -> None:
        super().__init__()
        gain = math.sqrt(2 / (1 + SLOPE**2)) * total ** (-1 / (2 * LINEAR_LAYERS - 2))
        self.body = nn.Sequential(
            scaled(nn.Conv2d(channels, wide, 1), gain),
            nn.LeakyReLU(SLOPE, inplace=True),
            scaled(nn.Conv2d(wide, wide, 3, padding=1, groups=max(1, wide // group)), gain),
            nn.LeakyReLU(SLOPE, inplace=True),
            scaled(nn.Conv2d(wide, channels, 1, bias=False), 0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y


class Resample(nn.Module):
    """Bilinear resampling of maps to an exact size; it averages over all pixels where it makes them smaller.

    From a size to its half or double, the weights are those of the filter [1, 3, 3, 1]. It is a product with two
    matrices, so that its gradients of every order are exact and deterministic on every device.

    Args:
        source: (height, width) before.
        target: (height, width) after.
    """

    def __init__(self, source: Size, target: Size) -> None:
        super().__init__()
        for name, before, after in zip(("rows", "columns"), source, target, strict=True):
            identity = torch.eye(before)[None, None]
            matrix = F.interpolate(identity, (after, before), mode="bilinear", align_corners=False, antialias=True)
            self.register_buffer(name, matrix[0, 0], persistent=False)
        self.rows: Tensor
        self.columns: Tensor

    def forward(self, x: Tensor) -> Tensor:
        across = x @ self.columns.T.to(x.dtype)
        return (across.mT @ self.rows.T.to(x.dtype)).mT


class Basis(nn.Module):
    """The generator's first map: learned maps, one per channel, each times a linear function of the noise.

    Args:
        noise_dim: length of the noise.
        channels: channels of the map.
        size: its (height, width).
    """

    def __init__(self, noise_dim: int, channels: int, size: Size) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *size))
        self.weights = scaled(nn.Linear(noise_dim, channels, bias=False), 1.0)

    def forward(self, noise: Tensor) -> Tensor:
        weights: Tensor = self.weights(noise)
        return self.maps * weights[:, :, None, None]


@torch.no_grad()
def scaled(layer: M, gain: float) -> M:
    """The layer with weights from N(0, gain² / inputs), inputs being those of one output, and biases of zero."""
    inputs = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(inputs))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
