"""Points (features or images) in an `.npy` or `.npz` file; nothing is ever unpickled."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from gantk.data.mapped import map_file
from gantk.data.npy import DAMAGE, DIRECTORY, READERS, check_fits, check_member, reason
from gantk.data.zips import open_zip
from gantk.errors import DataError, OptionError, nearest
from gantk.files import place

__all__ = ["ArrayFile", "is_array_file"]

_FILE = re.compile(r"(?P<path>.+\.np[yz])(?::array=(?P<array>.+))?", re.IGNORECASE | re.DOTALL)
_PLUGIN = re.compile(r"[\w-]+(?::[\w-]+)?:\w+=")


def is_array_file(text: str) -> bool:
    """Whether a text is `FILE.npy`, `FILE.npz` or `FILE.npz:array=NAME`, and not a data plugin."""
    return bool(_FILE.fullmatch(text)) and not _PLUGIN.match(text)


class ArrayFile:
    """One uint8 or float array `[N, …]` in a file, read on demand.

    Args:
        text: `FILE.npy`, `FILE.npz`, or `FILE.npz:array=NAME` if the file contains several arrays.

    Raises:
        OptionError: the file has no such array, or several and no name is given.
        DataError: the file is missing or damaged, or the array has another shape or dtype.
    """

    def __init__(self, text: str) -> None:
        match = _FILE.fullmatch(text)
        if match is None:
            raise OptionError(f"'{text}' is not FILE.npy, FILE.npz or FILE.npz:array=NAME.")
        self.path = place(match["path"])
        self._zipped = self.path.suffix.lower() == ".npz"
        if match["array"] and not self._zipped:
            raise OptionError(f"{self.path}: an .npy file contains one array; omit :array={match['array']}.")
        with self._reading():
            self.array = self._choose(match["array"]) if self._zipped else ""
            self.name = f"{self.path}:{self.array}" if self.array else str(self.path)
            self.shape, self.dtype = self._header()

    def read(self, indices: npt.NDArray[np.int64] | None = None) -> npt.NDArray[Any]:
        """The array, or the points at these indices. From an `.npy` file, only those are read."""
        with self._reading():
            if self._zipped:
                check_fits(math.prod(self.shape) * self.dtype.itemsize)
                with open_zip(self.path, DIRECTORY) as archive, archive.open(f"{self.array}.npy") as stream:
                    whole: npt.NDArray[Any] = npy.read_array(stream, allow_pickle=False)
            else:
                whole = map_file(self.path)
            return whole if indices is None else whole[indices]

    def _choose(self, wanted: str | None) -> str:
        with open_zip(self.path, DIRECTORY) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if wanted is not None and wanted not in names:
            raise OptionError(f"{self.path} has no array '{wanted}'.{nearest(wanted, names)}")
        if wanted is None and len(names) > 1:
            raise OptionError(
                f"{self.path} contains {', '.join(sorted(names))}: choose one, as in {self.path}:array={names[0]}."
            )
        if not names:
            raise DataError(f"{self.path} contains no array.")
        return wanted or names[0]

    def _header(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype, checked against the number of bytes."""
        if self._zipped:
            with open_zip(self.path, DIRECTORY) as archive:
                member = archive.getinfo(f"{self.array}.npy")
                try:
                    check_member(member)
                except ValueError as error:
                    raise DataError(f"{self.name}: {error}; copy or write it again.") from error
                with archive.open(member) as stream:
                    return self._checked(stream, member.file_size)
        with self.path.open("rb") as stream:
            return self._checked(stream, self.path.stat().st_size)

    def _checked(self, stream: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
        try:
            version = npy.read_magic(stream)
        except ValueError as error:
            raise DataError(f"{self.name}: no array as numpy.save and numpy.savez write it; write it again.") from error
        if version not in READERS:
            raise DataError(f"{self.name}: has .npy format version {version}; expected (1, 0) or (2, 0).")
        shape, _, dtype = READERS[version](stream)
        if dtype != np.uint8 and (dtype.kind != "f" or dtype.itemsize > 8):
            raise DataError(f"{self.name}: contains {dtype}; expected uint8, or float of 16, 32 or 64 bits.")
        if len(shape) < 2 or min(shape) < 1:
            raise DataError(f"{self.name}: has shape {list(shape)}; expected points [N, D] or images, at least one.")
        announced, present = math.prod(shape) * dtype.itemsize, size - stream.tell()
        if announced != present:
            raise DataError(f"{self.name}: declares {announced} bytes but has {present}; copy or write it again.")
        return shape, dtype

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn exceptions from a damaged file into an error that names the file."""
        if not self.path.is_file():
            raise DataError(f"{self.path}: no such file, or not a regular one.")
        try:
            yield
        except DAMAGE as error:
            raise DataError(f"{self.path}: damaged or unreadable{reason(error)}; copy or write it again.") from error
