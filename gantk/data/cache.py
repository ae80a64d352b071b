"""Where decoded images, features and trained extractors are kept."""

from __future__ import annotations

import os
from pathlib import Path

from gantk.files import place

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """The folder that the variable GANTK_CACHE names, else `~/.cache/gantk`. Deleting it is always safe."""
    return place(os.environ.get("GANTK_CACHE") or "~/.cache/gantk").absolute()
