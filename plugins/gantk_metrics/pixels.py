"""Pixels as features."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from gantk import Extractor, require
from gantk.parts import ImageShape

__all__ = ["Pixels"]


class Pixels(Extractor):
    """The pixels of an image, in [-1, 1].

    Args:
        size: side of the square to which images are averaged first, at least 1; 0 keeps their size.
    """

    preference = 1

    def __init__(self, image_shape: ImageShape, *, size: int = 0) -> None:
        super().__init__()
        require(size >= 0, f"size must be at least 0, not {size}.")
        channels, height, width = image_shape
        self.size = size
        self.dim = channels * size * size if size else math.prod((channels, height, width))
        if size:
            self.resize = f"average to {size}x{size}"

    def forward(self, images: Tensor) -> Tensor:
        return (adaptive_avg_pool2d(images, self.size) if self.size else images).flatten(1)
