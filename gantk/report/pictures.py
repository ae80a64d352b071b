"""Pictures that are written to files, and what they are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from gantk.errors import UsageError
from gantk.grids import JPEG, MODES, encoded, grid_size
from gantk.parts import ImageShape
from gantk.report.outputs import write_aside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "PICTURES",
    "check_drawable",
    "check_grid",
    "colored",
    "heat_maps",
    "save_figure",
    "save_picture",
    "side_by_side",
]

PICTURES = (".png", *JPEG)
"""Suffixes of image files."""

JPEG_SIDE = 65_500
"""Maximum side length of a JPEG in pixels."""

MOST_PIXELS = 89_478_485
"""Maximum number of pixels: Pillow warns about larger images as possible decompression bombs."""


def check_grid(output: Path, count: int, image_shape: ImageShape, columns: int | None = None, gap: int = 2) -> None:
    """Check the size of a grid before any work is done.

    Raises:
        UsageError: the grid is too large; the message contains the limit.
    """
    _, height, width = image_shape
    sides = grid_size(count, height, width, columns or math.ceil(math.sqrt(count)), gap)
    jpeg = output.suffix.lower() in JPEG and max(sides) > JPEG_SIDE
    if sides[0] * sides[1] <= MOST_PIXELS and not jpeg:
        return
    limit = f"the limit of a JPEG is {JPEG_SIDE:,} per side" if jpeg else f"the limit is {MOST_PIXELS:,} pixels"
    fit = int((math.sqrt(MOST_PIXELS) - gap) // (max(height, width) + gap)) ** 2
    raise UsageError(
        f"-o {output}: {count:,} images of {height}×{width} make a grid of {sides[0]:,}×{sides[1]:,} pixels; {limit}: "
        f"use at most {fit:,} images, or a folder."
    )


def check_drawable(image_shape: ImageShape) -> None:
    """Refuse images that no picture can show before any work is done; raises `UsageError`."""
    colored(torch.empty(0, *image_shape))


def colored(images: Tensor) -> Tensor:
    """`[N, C, H, W]` images of 1 to 4 channels as RGB, or as RGBA if they have transparency.

    Raises:
        UsageError: they have more than 4 channels.
    """
    channels = images.shape[1]
    if channels not in MODES:
        raise UsageError(f"a picture has 1 to 4 channels, got {channels}.")
    return torch.cat([images[:, :1].expand(-1, 3, -1, -1), images[:, 1:]], dim=1) if channels < 3 else images


def heat_maps(codes: Tensor, size: tuple[int, int], limit: float, channels: int = 3) -> Tensor:
    """Draw codes as tiles: each element is a rectangle, row by row, blue below 0, white at 0, red above.

    Args:
        codes: `[N, dim]`.
        size: (height, width) of a tile in pixels; if it is too small for a code, some elements are omitted evenly.
        limit: the magnitude with full color, above 0.
        channels: 3, or 4 for opaque RGBA.

    Returns:
        `[N, channels, height, width]` in [-1, 1]; the unused rest of the last row is gray.
    """
    rows = min(codes.shape[1], math.ceil(math.sqrt(codes.shape[1] * size[0] / size[1])))
    columns = -(-codes.shape[1] // rows)
    shares = (codes / limit).clamp(-1, 1)
    faint = 1 - 2 * shares.abs()
    full = torch.ones_like(faint)
    colors = torch.stack([torch.where(shares < 0, faint, full), faint, torch.where(shares > 0, faint, full)], dim=1)
    filled = F.pad(colors, (0, rows * columns - codes.shape[1]))
    tiles = F.interpolate(filled.view(len(codes), 3, rows, columns), size, mode="nearest")
    opaque = torch.ones(len(tiles), channels - 3, *size)
    return torch.cat([tiles, opaque], dim=1)


def side_by_side(pictures: Sequence[Tensor], gap: int = 12) -> Tensor:
    """Join uint8 images `[C, H, W]` of any height from left to right, on white."""
    height = max(each.shape[1] for each in pictures)
    padded = [F.pad(each, (0, gap, 0, height - each.shape[1]), value=255) for each in pictures]
    return torch.cat(padded, dim=2)[:, :, :-gap]


def save_picture(image: Tensor, path: Path) -> None:
    """Write a uint8 `[C, H, W]` tensor as a PNG, or a JPEG by the path's suffix, to a temporary file that is renamed.

    Raises:
        UsageError: a PNG cannot have so many channels.
        WorkError: the file cannot be written.
    """
    content = encoded(image, path.suffix)
    write_aside(path, lambda file: file.write(content))


def save_figure(figure: Figure, path: Path) -> None:
    """Write a Matplotlib figure in the format of the path's suffix, to a temporary file that is renamed.

    Raises:
        WorkError: the file cannot be written.
    """
    kind = path.suffix[1:].lower()
    write_aside(path, lambda file: figure.savefig(file, format=kind, dpi=150))
