"""Where features of real images are kept, by content, so that a later evaluation finds them."""

from __future__ import annotations

from pathlib import Path

from gantk.data import cache_folder

__all__ = ["features_folder", "trim"]

MOST = 8 << 30
"""Bytes of features that are kept; the oldest ones go first."""


def features_folder() -> Path:
    """The folder of features that are kept."""
    return cache_folder() / "features"


def trim(folder: Path, most: int = MOST) -> None:
    """Delete the features that were written first, beyond so many bytes; what cannot be deleted stays."""
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
