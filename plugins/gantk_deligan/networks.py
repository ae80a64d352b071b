"""DeLiGAN's small networks, for few images of any size."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from gantk import Discriminator, Generator, Verdict, require
from gantk.nn import (
    Size,
    downsampler,
    halve_until,
    init_weights,
    normalization,
    output_activation,
    upsampler,
)
from gantk.parts import ImageShape

__all__ = ["DeLiGANDiscriminator", "DeLiGANGenerator", "MinibatchDiscrimination"]

LARGEST_BASE = 4
"""The image is halved until its shorter side is at most this: 28 → 14 → 7 → 4."""
LARGEST_GROWTH = 4
"""Channels double from layer to layer, up to this many times `width`."""


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


class MinibatchDiscrimination(nn.Module):
    """Features that show how near an image is to the others of its batch (Salimans et al. 2016, section 3.2).

    With M = T x, `kernels` rows of `dim` numbers for each image, feature b of image i is the mean over the other images
    j of exp(-‖M_ib - M_jb‖₁). In evaluation mode it is a running mean, as in batch normalization, so that the verdict
    on an image does not depend on the other images.

    Args:
        features: length of the vectors x.
        kernels: number of features that are appended.
        dim: numbers that each compares.
    """

    MOMENTUM = 0.1

    def __init__(self, features: int, kernels: int, dim: int = 5) -> None:
        super().__init__()
        self.compared = nn.Linear(features, kernels * dim, bias=False)
        self.kernels = kernels
        self.register_buffer("usual", torch.zeros(kernels))
        self.usual: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """`[N, features + kernels]` of `[N, features]`."""
        if not self.training:
            return torch.cat([x, self.usual.to(x.dtype).expand(len(x), -1)], dim=1)
        rows = self.compared(x).float().unflatten(1, (self.kernels, -1))
        near = (-(rows[:, None] - rows[None]).abs().sum(dim=3)).exp()
        others = (near.sum(dim=1) - 1) / max(len(x) - 1, 1)  # each is at distance 0 from itself
        with torch.no_grad():
            self.usual.lerp_(others.mean(dim=0), self.MOMENTUM)
        return torch.cat([x, others.to(x.dtype)], dim=1)


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
        self.batch = MinibatchDiscrimination(widths[-1], widths[-1])
        self.logit = nn.Linear(2 * widths[-1], 1)
        init_weights(self, 0.02)
        nn.init.normal_(self.batch.compared.weight, 0.0, widths[-1] ** -0.5)  # distances of about 1 for features of 1

    def forward(self, images: Tensor) -> Verdict:
        hidden, x = [], images
        for block in self.blocks:
            x = cast(Tensor, block(x))
            hidden.append(x)
        logits = self.logit(self.batch(x.amax(dim=(2, 3)))).squeeze(1)
        return Verdict(logits=logits, hidden=tuple(hidden))
