"""Arrays in files that are mapped into memory.

Where the system cannot read or write a page of a mapped file, it ends the process at once, with SIGBUS. So space is
reserved before the first page is written, and the file's size is compared before pages are read. Where a file is cut
short in between, commands with native code still end with a line that names it.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from gantk import interrupts
from gantk.errors import DataError
from gantk.ops import native

__all__ = ["check_whole", "map_file", "mapped_file", "mapped_temporary"]

ZEROS = bytes(1 << 20)


CUT = "was cut short while it was in use"
MEND = "write it again, under another name if a training uses it"


def map_file(path: Path) -> npt.NDArray[Any]:
    """The array in an `.npy` file, mapped to be read; what is written to it stays in memory.

    Raises:
        OSError, ValueError, EOFError: it is no such file, or shorter than it says.
    """
    _report_cuts()
    found: npt.NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return found


@functools.cache
def _report_cuts() -> None:
    if interrupts.is_command() and (module := native.cpu()) is not None:  # other programs' signals are their own
        module.report_bus_errors("Error: ", f" {CUT}, or its disk failed: {MEND}.\n")


def mapped_file(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A new `.npy` file, mapped to be written.

    Raises:
        OSError: it exists, or there is not enough space for all of it.
    """
    kind = np.dtype(dtype)
    with path.open("xb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        _reserve(file, file.tell() + _size(kind, shape))
    return np.lib.format.open_memmap(path, mode="r+")


def mapped_temporary(dtype: npt.DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """An array in a temporary file without a name, which exists as long as the array.

    Raises:
        OSError: there is not enough space for it.
    """
    kind = np.dtype(dtype)
    with tempfile.TemporaryFile(prefix="gantk-") as file:
        _reserve(file, _size(kind, shape))
        return np.memmap(file, dtype=kind, mode="r+", shape=shape)


def check_whole(array: npt.NDArray[Any], name: str) -> None:
    """Check that the file behind a mapped array is as long as when it was mapped; other arrays are always whole.

    Raises:
        DataError: it is shorter; the message begins with the name.
    """
    mapped = getattr(array, "_mmap", None)  # NumPy has no other access to it, and the path may be another file by now
    if isinstance(array, np.memmap) and isinstance(mapped, mmap.mmap):
        start = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
        if mapped.size() < start + len(mapped):
            raise DataError(f"{name}: the file {CUT}; {MEND}.")


def _size(kind: np.dtype[Any], shape: tuple[int, ...]) -> int:
    return kind.itemsize * int(np.prod(shape, dtype=np.int64))


def _reserve(file: BinaryIO, size: int) -> None:
    """Have the file system set space aside, so that no write to the mapped file can fail."""
    file.flush()
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
        else:
            return
    at = file.tell()
    while at < size:
        at += file.write(ZEROS[: size - at])
    file.flush()
