"""DeLiGAN's small networks, for few images of any size."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from gantk import Discriminator, Generator, Verdict, require
from gantk.nn import (
    MinibatchFeatures,
    Size,
    downsampler,
    halve_until,
    init_weights,
    normalization,
    output_activation,
    upsampler,
)
from gantk.parts import ImageShape

__all__ = ["DeLiGANDiscriminator", "DeLiGANGenerator"]

LARGEST_BASE = 4
"""The image is halved until its shorter side is at most this: 28 → 14 → 7 → 4."""
LARGEST_GROWTH = 4
"""Channels double from layer to layer, up to this many times `width`."""
COMPARED = 5
"""Numbers that each kernel of the minibatch discrimination compares."""


def _plan(image_shape: ImageShape, width: int) -> tuple[list[Size], list[int], list[int]]:
    """Sizes from the image's down to the base's; channels and kernel size of each step between them.

    Kernels are 5×5, and 3×3 at the base.
    """
    require(width >= 1, f"width must be at least 1, not {width}.")
    sizes = halve_until(image_shape[1:], LARGEST_BASE)
    depth = len(sizes) - 1
    return sizes, [width * min(2**k, LARGEST_GROWTH) for k in range(depth)], [5] * (depth - 1) + [3]


class DeLiGANGenerator(Generator):
    """DeLiGAN's MNIST generator: a projection to 4×4, then transposed convolutions with batch normalization and ReLU.

    Args:
        width: channels of the layer next to the image, at least 1; they double with each halving, up to 4 · width.
    """

    paper = "Gurumurthy, Sarvadevabhatla & Babu 2017, arXiv:1706.02071, section 5.3"

    def __init__(self, image_shape: ImageShape, noise_dim: int, *, width: int = 16) -> None:
        super().__init__()
        self.image_shape = image_shape
        sizes, widths, kernels = _plan(image_shape, width)
        height, breadth = sizes[-1]
        features = widths[-1] * height * breadth
        layers: list[nn.Module] = [
            nn.Linear(noise_dim, features),
            normalization("batch", features, vectors=True),
            nn.ReLU(),
            nn.Unflatten(1, (widths[-1], height, breadth)),
        ]
        for depth in range(len(widths) - 1, 0, -1):
            layers += [
                upsampler(widths[depth], widths[depth - 1], sizes[depth + 1], sizes[depth], kernels[depth]),
                normalization("batch", widths[depth - 1]),
                nn.ReLU(),
            ]
        layers += [upsampler(widths[0], image_shape[0], sizes[1], sizes[0], kernels[0]), output_activation("tanh")]
        self.layers = nn.Sequential(*layers)
        init_weights(self, 0.02)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.layers(noise)
        return images


class DeLiGANDiscriminator(Discriminator):
    """DeLiGAN's MNIST discriminator: three convolutions, the maximum over pixels, minibatch discrimination.

    Convolutions are strided, with LeakyReLU(0.2), and batch normalization except after the first.

    Args:
        width: channels of the layer next to the image, at least 1; they double with each halving, up to 4 · width.
    """

    paper = "Gurumurthy, Sarvadevabhatla & Babu 2017, arXiv:1706.02071, section 5.3"
    provides = frozenset({"logits", "hidden"})

    def __init__(self, image_shape: ImageShape, *, width: int = 16) -> None:
        super().__init__()
        sizes, widths, kernels = _plan(image_shape, width)
        channels = [image_shape[0], *widths]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                downsampler(channels[depth], widths[depth], sizes[depth], kernels[depth]),
                normalization("batch" if depth else "none", widths[depth]),
                nn.LeakyReLU(0.2),
            )
            for depth in range(len(widths))
        )
        self.logit = nn.Linear(2 * widths[-1], 1)
        init_weights(self, 0.02)
        self.batch = MinibatchFeatures(widths[-1], widths[-1], COMPARED, mean=True)

    def forward(self, images: Tensor) -> Verdict:
        hidden, x = [], images
        for block in self.blocks:
            x = cast(Tensor, block(x))
            hidden.append(x)
        features = x.amax(dim=(2, 3))
        logits = self.logit(torch.cat([features, self.batch(features)], dim=1)).squeeze(1)
        return Verdict(logits=logits, hidden=tuple(hidden))
