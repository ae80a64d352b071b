"""Opening zips that may be hostile: their lists of entries have a limit."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

__all__ = ["open_zip"]

DIRECTORY = 1 << 27
"""Bytes of a list of entries, at most: more than a million images have, and a zip's size says nothing about it."""


def open_zip(path: str | os.PathLike[str], most: int = DIRECTORY) -> zipfile.ZipFile:
    """Open a zip for reading, unless its list of entries is larger than this many bytes.

    Raises:
        zipfile.BadZipFile: it is no zip, or has too many entries.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # what zipfile itself goes by
    if not end:
        raise zipfile.BadZipFile("File is not a zip file")
    if (size := end[zipfile._ECD_SIZE]) > most:  # type: ignore[attr-defined]
        raise zipfile.BadZipFile(f"its list of entries has {size} bytes; expected at most {most}")
    return zipfile.ZipFile(path)
