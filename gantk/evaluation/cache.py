"""Where features of real images are kept, by content, so that a later evaluation finds them: in `GANTK_CACHE`.

By default that is `~/.cache/gantk`. Deleting the folder is always safe.
"""

from __future__ import annotations

import os
from pathlib import Path

from gantk.files import place

__all__ = ["features_folder", "trim"]

MOST = 8 << 30
"""Bytes of features that are kept; the oldest ones go first."""


def features_folder() -> Path:
    """The folder of features that are kept."""
    return place(os.environ.get("GANTK_CACHE") or "~/.cache/gantk").absolute() / "features"


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
