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

__all__ = ["grid", "picture", "save_array", "save_images", "save_picture", "writable"]

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


def writable(output: Path, suffixes: tuple[str, ...] = (".png", ".npz", "")) -> None:
    """Refuse an output that cannot become what was asked for, before any work is done.

    Raises:
        UsageError: its suffix is none of these, or a file stands where a folder is wanted.
    """
    if output.suffix.lower() not in suffixes and not output.is_dir():
        kinds = ", ".join(suffix or "a folder" for suffix in suffixes)
        raise UsageError(f"-o {output}: expected {kinds}.")
    if output.suffix and output.is_dir() and output.suffix.lower() in suffixes:
        raise UsageError(f"-o {output} is a folder; name a file.")
    parent = output if not output.suffix else output.parent
    if parent.exists() and not parent.is_dir():
        raise UsageError(f"-o {output}: {parent} is a file, a folder is wanted there.")


def save_images(images: Tensor, output: Path) -> None:
    """Write `[N, C, H, W]` images in [-1, 1] as one grid (`.png`), an array (`.npz`), or a folder of single PNGs."""
    if output.suffix.lower() == ".npz":
        save_array(images, output)
    elif output.suffix.lower() == ".png":
        save_picture(grid(images), output)
    else:
        digits = len(str(len(images) - 1))
        for index, image in enumerate(to_uint8(images)):
            save_picture(image, output / f"{index:0{digits}d}.png")


def save_array(images: Tensor, path: Path) -> None:
    """Write `[N, C, H, W]` images in [-1, 1] as an `.npz` with one array, `images`: uint8 `[N, H, W, C]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".unfinished-{path.name}")
    with aside.open("wb") as file:
        np.savez_compressed(file, images=to_uint8(images).permute(0, 2, 3, 1).numpy())
    aside.replace(path)
