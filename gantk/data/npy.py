"""Read `.npy` and `.npz` files that people name; nothing is ever unpickled, and errors never advise it."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from gantk.data.mapped import map_file
from gantk.data.zips import open_zip
from gantk.errors import DataError, briefly
from gantk.files import open_file
from gantk.memory import as_text, most_for_data

__all__ = [
    "DAMAGE",
    "DIRECTORY",
    "READERS",
    "check_fits",
    "check_member",
    "read_array",
    "read_arrays",
    "read_header",
    "reason",
]

MAGIC, ZIP = b"\x93NUMPY", b"PK"
"""What `.npy` files and `.npz` archives begin with."""

MOST_NUMBERS = 1 << 48
"""Numbers of an array, at most."""
DIRECTORY = 1 << 20
"""Bytes of the list of entries of an `.npz`, at most."""
RATIO = 1040
"""A deflate stream expands by at most 1032 : 1; a higher ratio means that the declared size is false."""
READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""Version of the format → what reads its header."""

DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, SyntaxError, MemoryError, OverflowError),
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
        if _start(path).startswith(ZIP):
            with open_zip(path, DIRECTORY) as archive:
                return dict(_members(archive))
        with path.open("rb") as stream:
            announced = read_header(stream, path.stat().st_size).bytes
        check_fits(0 if mapped else announced)
        return {"": map_file(path) if mapped else np.load(path, allow_pickle=False)}
    except DAMAGE as error:
        text = str(error)
        if "Object arrays" in text or "Python objects" in text:
            raise DataError(
                f"{_shown(path)}: contains Python objects, which are not loaded; save an array of numbers."
            ) from error
        raise DataError(f"{_shown(path)}: cannot be read as an array{reason(error)}; write it again.") from error


class Header(NamedTuple):
    """What a `.npy` file says of its array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes], size: int) -> Header:
    """The header of an array in a stream of this many bytes, which can hold what it announces.

    Raises:
        ValueError: it is no header, of no array of numbers or text, or announces more than there is.
    """
    version = npy.read_magic(stream)
    if version not in READERS:
        raise ValueError(f"it has .npy format version {version}; expected (1, 0) or (2, 0)")
    shape, _, dtype = READERS[version](stream)
    if dtype.hasobject:
        raise ValueError("Python objects")
    if dtype.kind not in "biufcSU" or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ValueError(f"it has {dtype} of shape {list(shape)}; expected numbers")
    if math.prod(side or 1 for side in shape) >= MOST_NUMBERS:  # even of an empty array
        raise ValueError(f"it is of shape {list(shape)}")
    header = Header(shape, dtype)
    if header.bytes > size - stream.tell():
        raise ValueError(f"it declares {header.bytes} bytes but has {size - stream.tell()}")
    return header


def check_member(member: zipfile.ZipInfo) -> None:
    """Check that an entry can have the size that it declares.

    Raises:
        ValueError: it cannot.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("its compression is neither 'stored' nor 'deflated'")  # the others' output has no bound
    if member.file_size > member.compress_size * RATIO + 1024:
        raise ValueError(
            f"declares {member.file_size} bytes, but {member.compress_size} compressed bytes cannot contain so many"
        )


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    total = 0
    for member in archive.infolist():
        check_member(member)
        with archive.open(member) as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                continue
            stream.seek(0)
            total += read_header(stream, member.file_size).bytes
            check_fits(total)
            stream.seek(0)
            yield member.filename.removesuffix(".npy"), npy.read_array(stream, allow_pickle=False)


def check_fits(announced: int) -> None:
    """Check that arrays of this many bytes may be read into memory.

    Raises:
        ValueError: they may not.
    """
    if announced > (most := most_for_data()):
        raise ValueError(f"{as_text(announced)} are more than the {as_text(most)} that arrays may take here")


def reason(error: BaseException) -> str:
    """` (…)` with what NumPy says of a damaged file; empty where it advises to trust the file and unpickle it."""
    text = briefly(error)
    return f" ({text})" if text and "pickle" not in text else ""


def _start(path: Path) -> bytes:
    if not path.exists():
        raise DataError(f"{_shown(path)}: no such file.")
    try:
        with open_file(path, links=True) as stream:
            return stream.read(len(MAGIC))
    except OSError as error:
        raise DataError(f"{_shown(path)}: cannot be read ({error.strerror}).") from error


def _shown(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() else ascii(text)
