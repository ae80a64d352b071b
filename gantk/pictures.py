"""Pictures: images as grids, files and arrays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gantk.data import to_uint8
from gantk.errors import UsageError

__all__ = ["grid", "picture", "save_picture"]

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Channels → what a PNG of them is."""


def grid(images: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """One uint8 picture `[C, H, W]` of `[N, C, H, W]` images in [-1, 1], row by row, on white.

    Args:
        images: at least one.
        columns: images per row; as square as possible where not given.
        gap: pixels between images.
    """
    count, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    canvas = torch.full((channels, rows * (height + gap) + gap, columns * (width + gap) + gap), 255, dtype=torch.uint8)
    for index, image in enumerate(to_uint8(images)):
        top, left = (index // columns) * (height + gap) + gap, (index % columns) * (width + gap) + gap
        canvas[:, top : top + height, left : left + width] = image
    return canvas


def picture(image: Tensor) -> Image.Image:
    """A uint8 `[C, H, W]` tensor as a Pillow image.

    Raises:
        UsageError: it has not 1 to 4 channels, which a PNG cannot show.
    """
    channels = image.shape[0]
    if channels not in MODES:
        raise UsageError(f"a PNG has 1 to 4 channels, these images have {channels}: write an .npz instead.")
    array = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return Image.fromarray(array[..., 0] if channels == 1 else array)


def save_picture(image: Tensor, path: Path) -> None:
    """Write a uint8 `[C, H, W]` tensor as a PNG, aside and then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".unfinished-{path.name}")
    picture(image).save(aside, format="PNG")
    aside.replace(path)
