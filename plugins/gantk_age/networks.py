"""AGE's generator with its encoder, for any image size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Generator, Posterior, require
from gantk.errors import FitError
from gantk.nn import (
    OnSphere,
    Size,
    downsampler,
    halve_until,
    init_weights,
    output_activation,
    point,
    up_stack,
    upsampler,
)
from gantk.parts import ImageShape

__all__ = ["AGEGenerator"]

KERNEL = 4
LARGEST_BASE = 4
"""The image is halved until its shorter side is at most this."""

LARGEST_GROWTH = 8
"""Channels double from layer to layer, up to this many times `width`."""

SMALL_HALVINGS = 3
"""Images with at most this many halvings use the authors' networks for 32 pixels, larger ones those for 64."""


class AGEGenerator(Generator):
    """AGE's generator (`decoder`) and its `encoder`.

    They follow the authors' published networks: DCGAN-like, 4x4 kernels, a base map of at most 4 pixels on the
    shorter side. Up to 32 pixels, the decoder ends in an additional layer of 2 · width channels and a 1x1 convolution,
    and the encoder in a strided convolution to the code, averaged over pixels; for larger images, the decoder ends in a
    transposed convolution, and the encoder in a convolution over the whole base map.

    The mean of an image's posterior is its code; the log-variance is a constant -30.

    Args:
        width: channels of the layer next to the image, at least 1; they double with each halving, up to 8 · width.
        sphere: whether to project codes and the decoder's input noise onto the unit sphere.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Ulyanov, Vedaldi & Lempitsky 2018, arXiv:1704.02304; layers as in github.com/DmitryUlyanov/AGE"
    provides = frozenset({"posterior"})
    offers: Mapping[str, Mapping[str, Any]] = {"sphere": {"sphere": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 64,
        sphere: bool = True,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        if sphere and noise_dim < 2:
            raise FitError("a sphere needs at least two dimensions, but this noise has one: use sphere=false.")
        self.image_shape = image_shape
        self.noise_dim = noise_dim
        if sphere:
            self.provides = frozenset({"posterior", "sphere"})
        projection = [OnSphere()] if sphere else []
        self.decoder = nn.Sequential(*projection, *_decoder(image_shape, noise_dim, width))
        self.encoder = nn.Sequential(*_encoder(image_shape, noise_dim, width), *projection)
        init_weights(self, init_std)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.decoder(noise)
        return images

    def encode(self, images: Tensor) -> Posterior:
        return point(self.encoder(images))


def _decoder(image_shape: ImageShape, noise_dim: int, width: int) -> list[nn.Module]:
    sizes = halve_until(image_shape[1:], LARGEST_BASE)
    small = len(sizes) - 1 <= SMALL_HALVINGS
    channels = image_shape[0]
    if small:
        widths = [2 * width, *(_grown(width, halvings) for halvings in range(1, len(sizes)))][::-1]
        up_to = sizes[::-1]
        image: nn.Module = nn.Conv2d(widths[-1], channels, 1)
    else:
        widths = [_grown(width, halvings - 1) for halvings in range(1, len(sizes))][::-1]
        up_to = sizes[:0:-1]
        image = upsampler(widths[-1], channels, sizes[1], sizes[0], KERNEL, bias=False)
    return [
        nn.Unflatten(1, (noise_dim, 1, 1)),
        upsampler(noise_dim, widths[0], (1, 1), sizes[-1], kernel=sizes[-1], bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
        *up_stack(widths[0], up_to, widths[1:], kernel=KERNEL),
        image,
        output_activation("tanh"),
    ]


def _encoder(image_shape: ImageShape, noise_dim: int, width: int) -> list[nn.Module]:
    sizes = halve_until(image_shape[1:], LARGEST_BASE)
    layers: list[nn.Module] = []
    channels = image_shape[0]
    for depth, source in enumerate(sizes[:-1]):
        wide = _grown(width, depth)
        layers.append(downsampler(channels, wide, source, KERNEL, bias=False))
        if depth:
            layers.append(nn.BatchNorm2d(wide))
        layers.append(nn.LeakyReLU(0.2))
        channels = wide
    return [*layers, *_code(channels, noise_dim, sizes), nn.Flatten()]


def _code(channels: int, noise_dim: int, sizes: list[Size]) -> list[nn.Module]:
    """From the base map to the code, as one pixel."""
    if len(sizes) - 1 <= SMALL_HALVINGS:
        return [downsampler(channels, noise_dim, sizes[-1], KERNEL), nn.AdaptiveAvgPool2d(1)]
    return [nn.Conv2d(channels, noise_dim, sizes[-1])]


def _grown(width: int, doublings: int) -> int:
    return width * min(1 << doublings, LARGEST_GROWTH)
