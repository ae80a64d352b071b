"""What augmentations share: what they take, colors and transparency, and pixels by their places."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk import Part
from gantk.errors import FitError
from gantk.parts import ImageShape

__all__ = ["OfImages", "colors_of", "gathered", "per_image", "uniform"]

SMALLEST = 2
"""Pixels to a side; what has fewer is a code."""


class OfImages(Part):
    """A part that augments images, which have more than one pixel to a side."""

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        """The same shape."""
        if min(shape[1:]) < SMALLEST:
            raise FitError("it augments images, but this game judges codes", "leave it out, or choose another recipe")
        return shape


def colors_of(images: Tensor) -> int:
    """How many of the channels are colors: of 2 or 4 channels, the last is transparency."""
    channels = images.shape[1]
    return channels - 1 if channels in (2, 4) else channels


def uniform(images: Tensor, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1), in float32 at least, on the images' device."""
    return torch.rand(shape, device=images.device, dtype=torch.promote_types(images.dtype, torch.float32))


def per_image(images: Tensor, low: float, high: float) -> Tensor:
    """`[N, 1, 1, 1]`: a uniform number in [low, high) for each image, of its type."""
    return (low + (high - low) * uniform(images, len(images), 1, 1, 1)).to(images.dtype)


def gathered(images: Tensor, lines: Tensor, columns: Tensor) -> Tensor:
    """Images whose pixels are taken from given places, all of them within the image.

    Taking pixels has exact gradients of every order, on every device, as gradient penalties need.

    Args:
        images: `[N, C, H, W]`.
        lines, columns: whole numbers that can be broadcast to `[N, H, W]`.
    """
    n, channels, height, width = images.shape
    places = (lines * width + columns).expand(n, height, width).flatten(1)
    return images.flatten(2).gather(2, places[:, None].expand(-1, channels, -1)).view_as(images)
