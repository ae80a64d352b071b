"""Read files that may be damaged or hostile: with size limits, and every failure a `DataError`."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError

__all__ = ["DEFLATE_RATIO", "Readable", "absolute", "open_plain_or_gzip", "read_exactly", "shown"]

DEFLATE_RATIO = 1040
"""A deflate stream expands by at most 1032 : 1; a higher ratio means that the declared size is false."""

_CHUNK = 1 << 20


class Readable(Protocol):
    """A binary stream."""

    def read(self, count: int, /) -> bytes: ...


def absolute(path: Path | str) -> Path:
    """An absolute path; `~` is expanded to the home folder."""
    return Path(os.path.expanduser(path)).absolute()


def shown(name: object) -> str:
    """A name for messages, escaped if it contains unprintable characters."""
    text = str(name)
    return text if text.isprintable() else ascii(text)


@contextmanager
def open_plain_or_gzip(path: Path) -> Iterator[tuple[Readable, int]]:
    """A file's content, decompressed if it starts like gzip, and the maximum number of bytes it can contain.

    Raises:
        DataError: the file is missing, not a regular file, unreadable, or its gzip stream is damaged.
    """
    if not path.is_file():
        raise DataError(f"{shown(path)}: no such file, or not a regular one.")
    try:
        with path.open("rb") as raw:
            size = os.fstat(raw.fileno()).st_size
            if raw.peek(2)[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw) as unzipped:
                    yield unzipped, size * DEFLATE_RATIO
            else:
                yield raw, size
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{shown(path)}: damaged or unreadable ({shown(error)}); copy or download it again.") from error


def read_exactly(stream: Readable, count: int, name: str) -> npt.NDArray[np.uint8]:
    """The next `count` bytes of a stream.

    Raises:
        DataError: the stream ends earlier.
    """
    data = np.empty(count, dtype=np.uint8)
    filled = 0
    while filled < count:
        piece = stream.read(min(_CHUNK, count - filled))
        if not piece:
            raise DataError(f"{name}: truncated after {filled} of {count} bytes of data; copy or download it again.")
        data[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        filled += len(piece)
    return data
