"""The cache of features of real images, by content."""

from __future__ import annotations

import time
from pathlib import Path

from gantk.data import cache_folder
from gantk.files import UNFINISHED

__all__ = ["features_folder", "trim"]

MOST = 8 << 30
"""Maximum size of the cache in bytes; the oldest features are deleted first."""

ABANDONED = 86400.0
"""Seconds after which nobody writes an unfinished file any more."""


def features_folder() -> Path:
    """The folder of cached features."""
    return cache_folder() / "features"


def trim(folder: Path, most: int = MOST) -> None:
    """Delete the oldest features beyond this number of bytes, and what was left unfinished long ago.

    Files that cannot be deleted are kept.
    """
    try:
        for path in folder.glob(f"{UNFINISHED}*"):
            if path.stat().st_mtime < time.time() - ABANDONED:
                path.unlink()
        files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.npy")]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= most:
                return
            path.unlink()
            total -= size
    except OSError:
        return
