"""Store decoded images: in one array in memory or, if there are many, in one memory-mapped file in a cache.

The cache is `GANTK_CACHE`, by default `~/.cache/gantk`. A set is written to a temporary folder and renamed when it is
complete, so a killed run leaves no incomplete set; what it leaves is removed when the next set is written. The cache
can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gantk.data import cache_aside, cache_folder, map_file, mapped_file
from gantk.errors import DataError
from gantk.parts import ImageShape
from gantk_data.reading import shown

__all__ = ["Decoded", "cached", "decoded", "key_of"]

MEMORY_LIMIT = 1 << 30
"""Maximum size in bytes of decoded images held in memory."""

Decoded = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]
"""The decoded images `[n, C, H, W]`, and their indices among all files."""

Fill = Callable[[npt.NDArray[np.uint8]], list[int]]
"""Writes images into the array's first rows; returns the index of each among all files."""


def key_of(*values: object) -> str:
    """The name under which a decoded set is cached: a digest of everything that it depends on."""
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()[:32]


def cached(key: str) -> Decoded | None:
    """A decoded set from the cache, memory-mapped; `None` if it is missing or damaged."""
    folder = cache_folder() / key
    if not all((folder / name).is_file() for name in ("kept.npy", "images.npy")):
        return None
    try:
        kept = np.load(folder / "kept.npy", allow_pickle=False)
        images = map_file(folder / "images.npy")
    except (OSError, ValueError, EOFError):
        return None
    if images.ndim != 4 or images.dtype != np.uint8 or kept.ndim != 1 or not 0 < len(kept) <= len(images):
        return None
    return images[: len(kept)], kept.astype(np.int64)


def decoded(count: int, shape: ImageShape, key: str, fill: Fill, keep: bool = False) -> Decoded:
    """Decode `count` images into memory if they fit, else into the cache.

    Args:
        count: number of images.
        shape: their shape.
        key: name under which they are cached.
        fill: decodes them.
        keep: decode them into the cache in any case.

    Raises:
        DataError: the cache cannot be written or read.
    """
    if not keep and count * int(np.prod(shape)) <= MEMORY_LIMIT:
        images = np.empty((count, *shape), dtype=np.uint8)
        kept = np.array(fill(images), dtype=np.int64)
        return images[: len(kept)], kept
    try:
        _write(count, shape, cache_folder() / key, fill)
    except OSError as error:
        raise DataError(
            f"{shown(cache_folder())}: cannot write decoded images ({error}); "
            "set GANTK_CACHE to a folder with enough space."
        ) from error
    found = cached(key)
    if found is None:
        raise DataError(f"{shown(cache_folder() / key)}: cannot read the decoded images; delete the folder.")
    return found


def _write(count: int, shape: ImageShape, folder: Path, fill: Fill) -> None:
    parent = folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    with cache_aside(folder) as aside:
        images = mapped_file(aside / "images.npy", np.uint8, (count, *shape))
        kept = fill(images)
        images.flush()
        np.save(aside / "kept.npy", np.array(kept, dtype=np.int64), allow_pickle=False)
        _publish(aside, folder)


def _publish(aside: Path, folder: Path) -> None:
    """Rename into place; if another process was faster, its set is used if it is valid."""
    if folder.exists():
        if cached(folder.name) is not None:
            return
        shutil.rmtree(folder)
    try:
        aside.rename(folder)
    except OSError:
        if cached(folder.name) is None:
            raise
