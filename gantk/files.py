"""Writing aside and renaming, so that a reader never sees half of a file or folder."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["UNFINISHED", "flush", "replace_file"]

UNFINISHED = ".unfinished-"
"""What the names of files and folders begin with that are still being written."""


def replace_file(path: Path, content: bytes) -> None:
    """Write a file aside and rename it, so that a reader never sees half of it."""
    aside = path.with_name(f"{UNFINISHED}{path.name}")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def flush(path: Path) -> None:
    """Have the system write a file or folder to its disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
