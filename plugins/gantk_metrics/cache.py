"""The cache of trained extractors: the folder `GANTK_CACHE`, by default `~/.cache/gantk`, as for decoded images.

Files are written atomically. If several processes need the same one, one creates it and the others wait. The folder can
be deleted at any time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
from safetensors.torch import save_file
from torch import Tensor

from gantk.data import cache_folder, cache_lock
from gantk.errors import WorkError

__all__ = ["Weights", "kept"]


@dataclass(frozen=True)
class Weights:
    """The tensors of a network by name, and its metadata."""

    tensors: Mapping[str, Tensor]
    notes: Mapping[str, str]


def kept(folder: str, key: str, make: Callable[[], Weights]) -> Weights:
    """The cached weights for a key; they are created if they are not in the cache.

    Args:
        folder: a folder in the cache.
        key: a hash of everything that determines the weights.
        make: creates the weights.

    Raises:
        WorkError: the cache cannot be written.
    """
    path = cache_folder() / folder / f"{key}.safetensors"
    if (found := _read(path)) is not None:
        return found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with cache_lock(path.with_suffix(".lock")):
            if (found := _read(path)) is not None:
                return found
            found = make()
            _write(path, found)
            return found
    except OSError as error:
        raise WorkError(f"{path.parent} cannot be written ({error}); set GANTK_CACHE to another folder.") from error


def _read(path: Path) -> Weights | None:
    """The contents of a file; `None` if it does not exist or is damaged."""
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
