"""What augmentations share: what they take, and colors and transparency."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk import Part
from gantk.errors import FitError
from gantk.parts import ImageShape

__all__ = ["OfImages", "colors_of", "per_image", "uniform"]

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
