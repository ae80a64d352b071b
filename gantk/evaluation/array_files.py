"""Images in an array file, `.npz` or `.npy`, as gantk and other programs write samples."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gantk.data import DataSource, as_source
from gantk.data.npy import read_arrays
from gantk.errors import DataError
from gantk.files import place

__all__ = ["array_source", "is_array_file"]

SUFFIXES = (".npy", ".npz")


def is_array_file(data: Any) -> bool:
    """Whether data is named by the path of an array file that is there."""
    if not isinstance(data, (str, os.PathLike)):
        return False
    path = place(data)
    return path.suffix.lower() in SUFFIXES and path.is_file()


def array_source(data: Any, classes: Sequence[str] = ()) -> DataSource | None:
    """The images of an array file, with labels where it has them; `None` for anything that is no such file.

    Of an `.npz`, images are its only array of three or four dimensions, whatever it is called, and labels its only
    array of one integer for each image.

    Args:
        data: as somebody named it.
        classes: names of the classes that labels may count in.

    Raises:
        DataError: it cannot be read, or it is not clear which of its arrays are the images.
    """
    if not is_array_file(data):
        return None
    path = place(data)
    arrays = read_arrays(path, mapped=True)
    images = _images(path, arrays)
    labels = [
        each for each in arrays.values() if each.ndim == 1 and len(each) == len(images) and each.dtype.kind in "iu"
    ]
    try:
        source = as_source((images, labels[0]) if len(labels) == 1 else images)
    except DataError as error:
        raise DataError(f"{path}: {str(error).removeprefix('data: ')}") from error
    if source is not None and source.classes and len(source.classes) <= len(classes):
        source.classes = tuple(classes)
    return source


def _images(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    found = [each for each in arrays.values() if each.ndim in (3, 4)]
    if len(found) == 1:
        return found[0]
    holds = ", ".join(f"{name} {list(each.shape)}".strip() for name, each in arrays.items()) or "nothing"
    mend = "the images themselves are needed" if {"mu", "sigma"} <= arrays.keys() else "save the images alone"
    raise DataError(f"{path}: expected one array of images, [N, height, width, channels]; it holds {holds}: {mend}.")
