"""Where decoded images, features and trained extractors are kept."""

from __future__ import annotations

import os
from pathlib import Path

from gantk.files import place
from gantk.locks import Lock

__all__ = ["cache_folder", "cache_lock"]


def cache_folder() -> Path:
    """The folder that the variable GANTK_CACHE names, else `~/.cache/gantk`. Deleting it is always safe."""
    return place(os.environ.get("GANTK_CACHE") or "~/.cache/gantk").absolute()


def cache_lock(path: Path) -> Lock:
    """A lock, as a context manager, for what only one process at a time creates in the cache; `path` is its file."""
    return Lock(path)
