"""Read `.npy` and `.npz` files that people name; nothing is ever unpickled, and errors never advise it."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError, briefly

__all__ = ["DAMAGE", "read_array", "read_arrays", "reason"]

MAGIC, ZIP = b"\x93NUMPY", b"PK"
"""What `.npy` files and `.npz` archives begin with."""

DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, SyntaxError, MemoryError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""Exceptions that NumPy and zipfile raise for damaged files."""


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array in a `.npy` file.

    Raises:
        DataError: there is no such file, it is no `.npy` file, or it contains Python objects; the message names it.
    """
    start = _start(path)
    if start.startswith(ZIP):
        raise DataError(f"{_shown(path)}: an .npz archive; expected the .npy file of one array.")
    if not start.startswith(MAGIC):
        raise DataError(f"{_shown(path)}: no .npy file; write one with numpy.save.")
    return read_arrays(path)[""]


def read_arrays(path: Path, mapped: bool = False) -> dict[str, npt.NDArray[Any]]:
    """The arrays in an `.npz` file by name, or the one in a `.npy` file by an empty name.

    Args:
        path: the file.
        mapped: whether an array in a `.npy` file stays on the disk until it is used.

    Raises:
        DataError: there is no such file, it is neither kind, or it contains Python objects; the message names it.
    """
    if not _start(path).startswith((MAGIC, ZIP)):
        raise DataError(f"{_shown(path)}: no .npy or .npz file; write one with numpy.save.")
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
        if isinstance(found, np.ndarray):
            return {"": found}
        with found:
            arrays = {name: found[name] for name in found.files}
            return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
    except DAMAGE as error:
        text = str(error)
        if "Object arrays" in text or "Python objects" in text:
            raise DataError(
                f"{_shown(path)}: contains Python objects, which are not loaded; save an array of numbers."
            ) from error
        raise DataError(f"{_shown(path)}: cannot be read as an array{reason(error)}; write it again.") from error


def reason(error: BaseException) -> str:
    """` (…)` with what NumPy says of a damaged file; empty where it advises to trust the file and unpickle it."""
    text = briefly(error)
    return f" ({text})" if text and "pickle" not in text else ""


def _start(path: Path) -> bytes:
    if not path.exists():
        raise DataError(f"{_shown(path)}: no such file.")
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC))
    except OSError as error:
        raise DataError(f"{_shown(path)}: cannot be read ({error.strerror}).") from error


def _shown(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() else ascii(text)
