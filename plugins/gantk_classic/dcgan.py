"""DCGAN's generator and discriminator, for any image size, any number of channels and non-square images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Discriminator, Generator, Verdict, require
from gantk.nn import (
    DownStack,
    Head,
    Norm,
    Size,
    check_kernel,
    halve_until,
    init_weights,
    normalization,
    output_activation,
    provided,
    read_off,
    up_stack,
    upsampler,
)
from gantk.parts import ImageShape

__all__ = ["DCGANDiscriminator", "DCGANGenerator"]

LARGEST_BASE = 7
"""The image is halved until its shorter side is at most this: 28 → 14 → 7, 64 → … → 4."""

LARGEST_GROWTH = 8
"""Channels double from layer to layer, up to this many times `width`."""


def _plan(image_shape: ImageShape, width: int) -> tuple[list[Size], list[int]]:
    """Sizes from the image's down to the base's, and the channels of each except the image."""
    sizes = halve_until(image_shape[1:], LARGEST_BASE)
    return sizes, [width * min(2**depth, LARGEST_GROWTH) for depth in range(len(sizes) - 1)]


def _check(width: int, kernel: int, init_std: float) -> None:
    require(width >= 1, f"width must be at least 1, not {width}.")
    require(init_std > 0, f"init_std must be positive, not {init_std}.")
    check_kernel(kernel)


class DCGANGenerator(Generator):
    """DCGAN's generator: a projection to a small map, then transposed convolutions with ReLU; tanh at the end.

    The base map has at most 7 pixels on the shorter side and is doubled up to the image; odd sizes are matched
    exactly. Every layer except the last is normalized.

    Args:
        width: channels of the layer next to the image, at least 1; they double with each halving, up to 8 · width.
        kernel: kernel size, 3 … 11; an even one covers every pixel of an even size equally often.
        norm: normalization of every layer except the last.
        affine: whether normalizations learn a scale and a shift; conditional models can do without.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Radford, Metz & Chintala 2016, arXiv:1511.06434"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 64,
        kernel: int = 4,
        norm: Norm = "batch",
        affine: bool = True,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        _check(width, kernel, init_std)
        self.image_shape = image_shape
        self.noise_dim = noise_dim
        sizes, widths = _plan(image_shape, width)
        sizes, widths = sizes[::-1], widths[::-1]
        height, breadth = sizes[0]
        self.project = nn.Sequential(
            nn.Linear(noise_dim, widths[0] * height * breadth, bias=norm == "none"),
            nn.Unflatten(1, (widths[0], height, breadth)),
            normalization(norm, widths[0], affine=affine),
            nn.ReLU(),
        )
        self.up = up_stack(widths[0], sizes[:-1], widths[1:], kernel=kernel, norm=norm, affine=affine)
        self.image = nn.Sequential(
            upsampler(widths[-1], image_shape[0], sizes[-2], sizes[-1], kernel), output_activation("tanh")
        )
        init_weights(self, init_std)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.image(self.up(self.project(noise)))
        return images


class DCGANDiscriminator(Discriminator):
    """DCGAN's discriminator: strided convolutions with LeakyReLU(0.2), no hidden fully connected layer.

    It mirrors the generator's sizes and channels; the first layer is not normalized. The hidden maps are the outputs
    of each LeakyReLU. The logit and the code, if any, are linear functions of the last map.

    Args:
        width: channels of the layer next to the image, at least 1; they double with each halving, up to 8 · width.
        kernel: kernel size, 3 … 11; an even one covers every pixel of an even size equally often.
        norm: normalization of every layer except the first; gradient penalties need one other than batch.
        affine: whether normalizations learn a scale and a shift; conditional models can do without.
        code: whether to also predict a code of the noise's dimension for each image.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Radford, Metz & Chintala 2016, arXiv:1511.06434"
    offers: Mapping[str, Mapping[str, Any]] = {
        "per-sample": {"norm": "layer"},
        "code": {"code": True},
    }

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 64,
        kernel: int = 4,
        norm: Norm = "batch",
        affine: bool = True,
        code: bool = False,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        _check(width, kernel, init_std)
        self.provides = provided(norm=norm, code=code)
        _, widths = _plan(image_shape, width)
        self.down = DownStack(image_shape[0], image_shape[1:], widths, kernel=kernel, norm=norm, affine=affine)
        self.logit = Head(self.down.features, 1)
        self.code = Head(self.down.features, noise_dim) if code else None
        init_weights(self, init_std)

    def forward(self, images: Tensor) -> Verdict:
        hidden: tuple[Tensor, ...] = self.down(images)
        return read_off(hidden[-1], hidden, logit=self.logit, code=self.code)
