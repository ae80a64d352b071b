"""Where trained extractors are kept: `GANTK_CACHE`, by default `~/.cache/gantk`, as decoded images are.

A file is written aside and renamed whole; of several processes that want the same one, one makes it and the others
wait. Deleting the folder is always safe.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import filelock
import safetensors
from safetensors.torch import save_file
from torch import Tensor

from gantk.data import cache_folder
from gantk.errors import WorkError

__all__ = ["Weights", "kept"]


@dataclass(frozen=True)
class Weights:
    """A network's tensors by name, and texts about them."""

    tensors: Mapping[str, Tensor]
    notes: Mapping[str, str]


def kept(folder: str, key: str, make: Callable[[], Weights]) -> Weights:
    """The weights that are kept under a key, made and kept where there are none yet.

    Args:
        folder: what they belong to, as a folder of the cache.
        key: a hash of all that they follow from.
        make: makes them.

    Raises:
        WorkError: the cache cannot be written.
    """
    path = cache_folder() / folder / f"{key}.safetensors"
    if (found := _read(path)) is not None:
        return found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            if (found := _read(path)) is not None:
                return found
            found = make()
            _write(path, found)
            return found
    except OSError as error:
        raise WorkError(f"{path.parent} cannot be written ({error}); set GANTK_CACHE to another folder.") from error


def _read(path: Path) -> Weights | None:
    """What a file holds, or `None`; a damaged one counts as absent."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return Weights({name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {})  # noqa: SIM118
    except (OSError, safetensors.SafetensorError):
        return None


def _write(path: Path, weights: Weights) -> None:
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        save_file(dict(weights.tensors), aside, dict(weights.notes))
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    finally:
        Path(aside).unlink(missing_ok=True)
