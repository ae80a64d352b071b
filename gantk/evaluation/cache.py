"""The cache of features of real images, by content."""

from __future__ import annotations

from pathlib import Path

from gantk.data import cache_folder

__all__ = ["features_folder", "trim"]

MOST = 8 << 30
"""Maximum size of the cache in bytes; the oldest features are deleted first."""


def features_folder() -> Path:
    """The folder of cached features."""
    return cache_folder() / "features"


def trim(folder: Path, most: int = MOST) -> None:
    """Delete the oldest features beyond this number of bytes; files that cannot be deleted are kept."""
    try:
        files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.npy")]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= most:
                return
            path.unlink()
            total -= size
    except OSError:
        return
