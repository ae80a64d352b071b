"""Where decoded images, features and trained extractors are kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gantk.files import place
from gantk.locks import Lock, Taken

__all__ = ["cache_aside", "cache_folder", "cache_lock"]

LOCK = "lock"
"""A file in a folder that is being written, locked by its writer."""


def cache_folder() -> Path:
    """The folder that the variable GANTK_CACHE names, else `~/.cache/gantk`. Deleting it is always safe."""
    return place(os.environ.get("GANTK_CACHE") or "~/.cache/gantk").absolute()


def cache_lock(path: Path) -> Lock:
    """A lock, as a context manager, for what only one process at a time creates in the cache; `path` is its file."""
    return Lock(path)


@contextmanager
def cache_aside(folder: Path) -> Iterator[Path]:
    """A new folder beside one in the cache, to be written and renamed to it; what is not renamed is removed.

    What killed processes have left of such folders is removed as well.
    """
    parent = folder.parent
    for left in parent.glob(".*.tmp*"):
        if not left.is_symlink():
            with suppress(OSError, Taken), Lock(left / LOCK, patience=0):  # nobody writes it any more
                shutil.rmtree(left)
    aside, lock = _new_folder(parent, f".{folder.name}.tmp")
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        lock.release()


def _new_folder(parent: Path, prefix: str) -> tuple[Path, Lock]:
    """A new folder, locked where the file system has locks."""
    while True:
        made = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        lock = Lock(made / LOCK, patience=0)
        try:
            lock.acquire()
        except (Taken, FileNotFoundError):  # another process took it for what was left, and removes it
            continue
        except OSError:  # a file system without locks
            pass
        return made, lock
