"""Many images as files, each batch written as it comes: a folder of PNGs, a zip of them, an array, or one picture."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy

from gantk.data import to_uint8
from gantk.grids import encoded, grid_of
from gantk.measures.samples import Samples
from gantk.report.outputs import single, write_aside, write_folder
from gantk.report.pictures import PICTURES, save_picture

__all__ = ["KINDS", "save_images"]


def save_images(batches: Iterable[Samples], count: int, output: Path, columns: int | None = None) -> None:
    """Write `count` images in [-1, 1], which come in batches, no more than one of which is held.

    They become one grid (`.png`, `.jpg`), arrays (`.npz`: `arr_0`, uint8 `[count, H, W, C]`, and `labels` where the
    images have some), a zip of PNGs (`.zip`), or a folder of PNGs. What is written has its name once it is whole.

    Args:
        batches: images, with labels where they have some.
        count: how many images there are in all.
        output: where to write.
        columns: images per row of a grid; as square as possible where not given.

    Raises:
        UsageError: a PNG cannot show so many channels.
        WorkError: the place cannot be written to.
    """
    suffix = output.suffix.lower()
    if suffix in PICTURES:
        save_picture(grid_of((batch.images for batch in batches), count, columns), output)
    else:
        _WRITERS.get(suffix, _save_folder)(batches, count, output)


def _save_arrays(batches: Iterable[Samples], count: int, path: Path) -> None:
    def write(file: BinaryIO) -> None:
        labels = []
        with zipfile.ZipFile(file, "w") as archive:
            with _member(archive, "arr_0.npy", zipfile.ZIP_DEFLATED) as stream:
                for index, batch in enumerate(batches):
                    array = np.ascontiguousarray(to_uint8(batch.images).permute(0, 2, 3, 1).numpy())
                    if index == 0:
                        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *array.shape[1:])}
                        npy.write_array_header_1_0(stream, header)
                    stream.write(array.tobytes())
                    labels += [] if batch.labels is None else [batch.labels]
            if labels:
                with _member(archive, "labels.npy", zipfile.ZIP_DEFLATED) as stream:
                    npy.write_array(stream, torch.cat(labels).numpy(), allow_pickle=False)

    write_aside(path, write)


def _save_zip(batches: Iterable[Samples], count: int, path: Path) -> None:
    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, png in _pngs(batches):
                with _member(archive, name, zipfile.ZIP_STORED) as stream:
                    stream.write(png)

    write_aside(path, write)


def _save_folder(batches: Iterable[Samples], count: int, path: Path) -> None:
    write_folder(path, _pngs(batches))


def _pngs(batches: Iterable[Samples]) -> Iterator[tuple[str, bytes]]:
    """The name and content of one PNG after the other."""
    images = (image for batch in batches for image in to_uint8(batch.images))
    for index, image in enumerate(images):
        yield single(index), encoded(image)


def _member(archive: zipfile.ZipFile, name: str, compression: int) -> IO[bytes]:
    entry = zipfile.ZipInfo(name)  # its time is fixed, so that the same images are the same bytes
    entry.compress_type = compression
    return archive.open(entry, "w", force_zip64=True)


_WRITERS: Mapping[str, Callable[[Iterable[Samples], int, Path], None]] = {
    ".npz": _save_arrays,
    ".zip": _save_zip,
}

KINDS = (*PICTURES, ".npz", ".zip", "")
"""Suffixes of what images can be written as; `""` is a folder."""
