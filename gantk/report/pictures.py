"""Write images as grids, files and arrays."""

from __future__ import annotations

import difflib
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from gantk.data import to_uint8
from gantk.errors import UsageError, WorkError
from gantk.files import UNFINISHED
from gantk.parts import ImageShape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "JPEG",
    "PICTURES",
    "aside_of",
    "check_drawable",
    "check_grid",
    "colored",
    "grid",
    "grid_of",
    "heat_maps",
    "opaque",
    "picture",
    "save_figure",
    "save_picture",
    "side_by_side",
    "single",
    "try_place",
    "writable",
    "write_aside",
]

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Channels → Pillow's mode of a PNG."""

JPEG = (".jpg", ".jpeg")
PICTURES = (".png", *JPEG)
"""Suffixes of image files."""

JPEG_SIDE = 65_500
"""Maximum side length of a JPEG in pixels."""

MOST_PIXELS = 89_478_485
"""Maximum number of pixels: Pillow warns about larger images as possible decompression bombs."""

FILES = (".npy", ".npz", ".svg", ".avi", ".mov", ".mkv", ".webm", ".mp4", ".csv", ".txt", ".zip", ".tar", ".gz", ".pt")
"""Further suffixes that indicate a file, not a folder."""


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
            size = _grid_size(count, height, width, columns, gap)
            canvas = torch.full((channels, *size), 255, dtype=torch.uint8)
        for image in to_uint8(batch):
            top, left = (index // columns) * (height + gap) + gap, (index % columns) * (width + gap) + gap
            canvas[:, top : top + height, left : left + width] = image
            index += 1
    return canvas


def _grid_size(count: int, height: int, width: int, columns: int, gap: int) -> tuple[int, int]:
    rows = -(-count // columns)
    return rows * (height + gap) + gap, columns * (width + gap) + gap


def check_grid(output: Path, count: int, image_shape: ImageShape, columns: int | None = None, gap: int = 2) -> None:
    """Check the size of a grid before any work is done.

    Raises:
        UsageError: the grid is too large; the message contains the limit.
    """
    _, height, width = image_shape
    sides = _grid_size(count, height, width, columns or math.ceil(math.sqrt(count)), gap)
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


def save_picture(image: Tensor, path: Path) -> None:
    """Write a uint8 `[C, H, W]` tensor as a PNG, or a JPEG by the path's suffix, to a temporary file that is renamed.

    Raises:
        UsageError: a PNG cannot have so many channels.
        WorkError: the file cannot be written.
    """
    if path.suffix.lower() in JPEG:
        plain = opaque(image)
        write_aside(path, lambda file: plain.save(file, format="JPEG", quality=95))
        return
    shown = picture(image)
    write_aside(path, lambda file: shown.save(file, format="PNG"))


def save_figure(figure: Figure, path: Path) -> None:
    """Write a Matplotlib figure in the format of the path's suffix, to a temporary file that is renamed.

    Raises:
        WorkError: the file cannot be written.
    """
    kind = path.suffix[1:].lower()
    write_aside(path, lambda file: figure.savefig(file, format=kind, dpi=150))


def write_aside(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a temporary file and rename it, so that readers never see an incomplete file.

    Raises:
        WorkError: the file cannot be written.
    """
    aside = aside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                write(file)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror or error}.") from error


def aside_of(path: Path) -> Path:
    """The temporary path of a file or folder: next to it, or inside a folder that exists already."""
    path = path.resolve()
    return (path if path.is_dir() else path.parent) / f"{UNFINISHED}{path.name}"


def try_place(path: Path) -> None:
    """Check before long work that a path can be written, by writing into its first existing parent folder.

    Raises:
        WorkError: the file cannot be written.
    """
    try:
        aside = aside_of(path)
        folder = next(place for place in aside.parents if place.exists())
        trial = folder / aside.name
        if trial.is_dir():  # an interrupted call left it
            shutil.rmtree(trial)
        try:
            trial.open("wb").close()
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror or error}.") from error


def writable(output: Path, suffixes: tuple[str, ...] = (".png", ".npz", ""), count: int = 0) -> None:
    """Check an output path before any work is done.

    Args:
        output: where to write.
        suffixes: supported suffixes; `""` is a folder.
        count: number of single images to write into the folder.

    Raises:
        UsageError: the suffix is not supported, a file exists where a folder is expected or vice versa, or the folder
            contains other files.
    """
    suffix = output.suffix.lower()
    is_file = bool(suffix) and suffix in suffixes
    if not is_file and ("" not in suffixes or (_of_a_file(suffix, suffixes) and not output.is_dir())):
        names = [f"NAME{suffix}" if suffix else "the NAME of a folder" for suffix in suffixes]
        raise UsageError(f"-o {output}: expected {' or '.join(names)}.")
    if is_file and output.is_dir():
        raise UsageError(f"-o {output} is a folder; expected a file.")
    folder = output.parent if is_file else output
    present = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if present.exists() and not present.is_dir():
        raise UsageError(f"-o {output}: {present} is a file; expected a folder.")
    if not is_file and output.is_dir():
        own = {single(index) for index in range(count)} | {aside_of(output).name}
        others = sorted({entry.name for entry in output.iterdir()} - own)
        if others:
            raise UsageError(f"-o {output} contains other files, such as {others[0]}: use a new folder.")


def _of_a_file(suffix: str, offered: Sequence[str]) -> bool:
    """Whether a suffix indicates a file, or a misspelled supported one: a folder can be called samples_0.5."""
    if not suffix:
        return False
    known = {*Image.registered_extensions(), *FILES}
    return suffix in known or bool(difflib.get_close_matches(suffix, filter(None, offered), n=1, cutoff=0.7))


def single(index: int) -> str:
    """The file name of one image in a folder, independent of the number of images."""
    return f"{index:06d}.png"
