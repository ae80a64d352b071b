"""Images as grids, and as the bytes of a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gantk.data import to_uint8
from gantk.errors import UsageError

__all__ = ["JPEG", "MODES", "encoded", "grid", "grid_of", "grid_size", "opaque", "picture"]

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Channels → Pillow's mode of a PNG."""

JPEG = (".jpg", ".jpeg")
"""Suffixes of JPEG files."""


def grid(images: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """Arrange `[N, C, H, W]` images in [-1, 1] row by row on white, as one uint8 image `[C, H, W]`.

    Args:
        images: at least one image.
        columns: images per row; by default, the grid is as square as possible.
        gap: pixels between images.
    """
    return grid_of([images], len(images), columns, gap)


def grid_of(batches: Iterable[Tensor], count: int, columns: int | None = None, gap: int = 2) -> Tensor:
    """As `grid`, for `count` images in batches."""
    columns = columns or math.ceil(math.sqrt(count))
    canvas, index = torch.empty(0), 0
    for batch in batches:
        channels, height, width = batch.shape[1:]
        if index == 0:
            size = grid_size(count, height, width, columns, gap)
            canvas = torch.full((channels, *size), 255, dtype=torch.uint8)
        for image in to_uint8(batch):
            top, left = (index // columns) * (height + gap) + gap, (index % columns) * (width + gap) + gap
            canvas[:, top : top + height, left : left + width] = image
            index += 1
    return canvas


def grid_size(count: int, height: int, width: int, columns: int, gap: int) -> tuple[int, int]:
    """(height, width) of a grid in pixels."""
    rows = -(-count // columns)
    return rows * (height + gap) + gap, columns * (width + gap) + gap


def picture(image: Tensor) -> Image.Image:
    """A uint8 `[C, H, W]` tensor as a Pillow image.

    Raises:
        UsageError: it does not have 1 to 4 channels.
    """
    channels = image.shape[0]
    if channels not in MODES:
        raise UsageError(f"a PNG has 1 to 4 channels, got {channels}: use an .npz file instead.")
    array = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return Image.fromarray(array[..., 0] if channels == 1 else array)


def opaque(image: Tensor) -> Image.Image:
    """A uint8 `[C, H, W]` tensor as a Pillow image, composited on white if it has transparency."""
    shown = picture(image)
    if shown.mode in ("L", "RGB"):
        return shown
    color = "L" if shown.mode == "LA" else "RGB"
    white = Image.new(color, shown.size, "white")
    white.paste(shown.convert(color), mask=shown.getchannel("A"))
    return white


def encoded(image: Tensor, suffix: str = ".png") -> bytes:
    """A uint8 `[C, H, W]` tensor as the content of a PNG, or of a JPEG if the suffix is one's.

    Raises:
        UsageError: a PNG cannot have so many channels.
    """
    file = io.BytesIO()
    if suffix.lower() in JPEG:
        opaque(image).save(file, format="JPEG", quality=95)
    else:
        picture(image).save(file, format="PNG")
    return file.getvalue()
