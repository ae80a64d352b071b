"""Pictures: images as grids, files and arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from gantk.data import to_uint8
from gantk.errors import UsageError, WorkError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "coloured",
    "grid",
    "heat_maps",
    "picture",
    "save_array",
    "save_figure",
    "save_images",
    "save_picture",
    "side_by_side",
    "try_place",
    "writable",
]

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


def coloured(images: Tensor) -> Tensor:
    """`[N, C, H, W]` images of 1 to 4 channels as RGB, or as RGBA where they have transparency.

    Raises:
        UsageError: they have more channels.
    """
    channels = images.shape[1]
    if channels not in MODES:
        raise UsageError(f"a picture has 1 to 4 channels, these images have {channels}.")
    return torch.cat([images[:, :1].expand(-1, 3, -1, -1), images[:, 1:]], dim=1) if channels < 3 else images


def heat_maps(codes: Tensor, size: tuple[int, int], limit: float, channels: int = 3) -> Tensor:
    """Codes as tiles: each number a rectangle, row by row, blue below 0, white at 0, red above.

    Args:
        codes: `[N, dim]`.
        size: (height, width) of a tile, in pixels; where it is smaller than a code, numbers are left out evenly.
        limit: the magnitude from which colours are full, above 0.
        channels: 3, or 4 for opaque RGBA.

    Returns:
        `[N, channels, height, width]` in [-1, 1]; what a code leaves free of its last row is grey.
    """
    rows = min(codes.shape[1], math.ceil(math.sqrt(codes.shape[1] * size[0] / size[1])))
    columns = -(-codes.shape[1] // rows)
    shares = (codes / limit).clamp(-1, 1)
    faint = 1 - 2 * shares.abs()
    full = torch.ones_like(faint)
    colours = torch.stack([torch.where(shares < 0, faint, full), faint, torch.where(shares > 0, faint, full)], dim=1)
    filled = F.pad(colours, (0, rows * columns - codes.shape[1]))
    tiles = F.interpolate(filled.view(len(codes), 3, rows, columns), size, mode="nearest")
    opaque = torch.ones(len(tiles), channels - 3, *size)
    return torch.cat([tiles, opaque], dim=1)


def side_by_side(pictures: Sequence[Tensor], gap: int = 12) -> Tensor:
    """uint8 pictures `[C, H, W]` of any heights as one, from left to right, on white."""
    height = max(each.shape[1] for each in pictures)
    padded = [F.pad(each, (0, gap, 0, height - each.shape[1]), value=255) for each in pictures]
    return torch.cat(padded, dim=2)[:, :, :-gap]


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
    """Write a uint8 `[C, H, W]` tensor as a PNG, aside and then renamed.

    Raises:
        UsageError: a PNG cannot show so many channels.
        WorkError: the place cannot be written to.
    """
    shown = picture(image)
    _write(path, lambda file: shown.save(file, format="PNG"))


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure of Matplotlib's as what the path's suffix says, aside and then renamed.

    Raises:
        WorkError: the place cannot be written to.
    """
    kind = path.suffix[1:].lower()
    _write(path, lambda file: figure.savefig(file, format=kind, dpi=150))


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file aside and rename it, so that a reader never sees half of it."""
    aside = path.with_name(_aside(path))
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


def _aside(path: Path) -> str:
    return f".unfinished-{path.name}"


def try_place(path: Path) -> None:
    """Notice before long work that a file cannot be written, by writing one where the first of its folders stands.

    Raises:
        WorkError: the place cannot be written to.
    """
    try:
        folder = next(place for place in path.absolute().parents if place.exists())
        trial = folder / _aside(path)
        try:
            trial.open("wb").close()
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror or error}.") from error


def writable(output: Path, suffixes: tuple[str, ...] = (".png", ".npz", ""), count: int = 0) -> None:
    """Refuse an output that cannot become what was asked for, before any work is done.

    Args:
        output: where to write.
        suffixes: what is offered; `""` is a folder.
        count: how many single images the folder will hold.

    Raises:
        UsageError: its suffix is none of these, a file stands where a folder is expected or the reverse, or the
            folder holds other files, among which these images would be lost.
    """
    suffix = output.suffix.lower()
    is_file = bool(suffix) and suffix in suffixes
    if not is_file and ("" not in suffixes or (suffix and not output.is_dir())):
        names = [f"NAME{suffix}" if suffix else "the NAME of a folder" for suffix in suffixes]
        raise UsageError(f"-o {output}: expected {' or '.join(names)}.")
    if is_file and output.is_dir():
        raise UsageError(f"-o {output} is a folder; name a file.")
    folder = output.parent if is_file else output
    present = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if present.exists() and not present.is_dir():
        raise UsageError(f"-o {output}: {present} is a file; expected a folder.")
    if not is_file and output.is_dir():
        others = sorted({entry.name for entry in output.iterdir()} - {single(index) for index in range(count)})
        if others:
            raise UsageError(f"-o {output} holds {others[0]}, which is none of these images: name a new folder.")


def single(index: int) -> str:
    """The file name of one image in a folder; the same whatever their number is."""
    return f"{index:06d}.png"


def save_images(images: Tensor, output: Path) -> None:
    """Write `[N, C, H, W]` images in [-1, 1] as one grid (`.png`), an array (`.npz`), or a folder of single PNGs."""
    if output.suffix.lower() == ".npz":
        save_array(images, output)
    elif output.suffix.lower() == ".png":
        save_picture(grid(images), output)
    else:
        for index, image in enumerate(to_uint8(images)):
            save_picture(image, output / single(index))


def save_array(images: Tensor, path: Path) -> None:
    """Write `[N, C, H, W]` images in [-1, 1] as an `.npz` with one array, `images`: uint8 `[N, H, W, C]`."""
    array = to_uint8(images).permute(0, 2, 3, 1).numpy()
    _write(path, lambda file: np.savez_compressed(file, images=array))
