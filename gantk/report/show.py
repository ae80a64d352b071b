"""`gantk.show`: show images as a grid in a notebook."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gantk.data import ArraySource, DataSource, to_float
from gantk.errors import UsageError
from gantk.grids import grid, picture

__all__ = ["show"]

CHANNELS = 4
"""Maximum number of channels of an image."""
SHOWN = 64
"""Maximum number of images shown from a data source."""


def show(images: Any, columns: int | None = None) -> Image.Image:
    """Arrange images as one Pillow image, which notebooks display and `.save("x.png")` writes.

    Args:
        images: `[N, C, H, W]` or one image `[C, H, W]`, a tensor or a NumPy array, float in [-1, 1] or uint8; a list of
            such images or of Pillow images; or a data source, of which the first 64 are shown.
        columns: images per row; by default, the grid is as square as possible.

    Raises:
        UsageError: there are no images, or they do not have 1 to 4 channels.
        DataError: the argument is not images.
    """
    floats = _as_floats(images)
    if not len(floats):
        raise UsageError("gantk.show needs at least one image, but got none.")
    if columns is not None and columns < 1:
        raise UsageError(f"gantk.show: columns must be at least 1, not {columns}.")
    return picture(grid(floats.detach().cpu(), columns))


def _as_floats(images: Any) -> Tensor:
    """`[N, C, H, W]` in [-1, 1]."""
    if isinstance(images, DataSource):
        return to_float(images.images(range(min(SHOWN, len(images)))))
    if isinstance(images, Image.Image):
        images = [images]
    if isinstance(images, (list, tuple)) and images and all(isinstance(image, Tensor) for image in images):
        images = torch.stack(list(images))
    if isinstance(images, np.ndarray) and images.dtype.kind == "f":
        images = torch.from_numpy(images)
    if (isinstance(images, Tensor) and images.dim() == 3) or (isinstance(images, np.ndarray) and images.ndim == 3):
        images = images[None] if images.shape[0] <= CHANNELS else images
    if not len(images):
        return torch.empty(0, 1, 1, 1)
    if isinstance(images, Tensor) and images.is_floating_point() and images.dim() == 4:
        return images
    shape = tuple(getattr(images, "shape", ()))
    last = len(shape) == 4 and shape[-1] <= CHANNELS < shape[1]
    source = ArraySource(images, name="gantk.show", channels_last=last)
    return to_float(source.images(range(len(source))))
