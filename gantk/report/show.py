"""`gantk.show`: images as one picture, which a notebook draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gantk.data import ArraySource, DataSource, to_float
from gantk.errors import UsageError
from gantk.report.pictures import grid, picture

__all__ = ["show"]

CHANNELS = 4
"""The most channels that a picture has."""
SHOWN = 64
"""Images of a data source that are shown."""


def show(images: Any, columns: int | None = None) -> Image.Image:
    """Images as one picture: a Pillow image, which a notebook draws and `.save("x.png")` writes.

    Args:
        images: `[N, C, H, W]` or one image `[C, H, W]`, a tensor or a NumPy array, float in [-1, 1] or uint8; a list of
            such images or of Pillow ones; or a data source, of which the first 64 are shown.
        columns: images per row; as square as possible where not given.

    Raises:
        UsageError: there are none, or they have not 1 to 4 channels.
        DataError: they are no images.
    """
    floats = _as_floats(images)
    if not len(floats):
        raise UsageError("gantk.show needs at least one image, and got none.")
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
