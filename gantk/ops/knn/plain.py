"""The search in plain torch: the reference for the native one, and the fallback."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

__all__ = ["roots", "search"]

VALUES = 2**24
"""Number of float64 values held at a time: 128 MiB."""


def search(
    x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int, progress: Callable[[float], object] | None
) -> tuple[Tensor, Tensor]:
    """Distances `[N, k]` and indices `[N, k]`, or `[N, 0]` if they are not requested."""
    among = x if reference is None else reference
    columns = max(1, min(len(among), VALUES // x.shape[1]))
    rows = block or max(1, VALUES // max(columns, x.shape[1]))
    distances = torch.empty((len(x), k), dtype=torch.float64, device=x.device)
    found = torch.empty((len(x), k if indices else 0), dtype=torch.int64, device=x.device)
    for first in range(0, len(x), rows):
        part = slice(first, first + rows)
        squared, nearest = _nearest(x[part], among, k, first if reference is None else None, columns)
        distances[part] = roots(squared)
        if indices:
            found[part] = nearest
        if progress is not None:
            progress(min(first + rows, len(x)) / len(x))
    return distances, found


def roots(squared: Tensor) -> Tensor:
    """Correctly rounded: on the CPU, torch may take roots from a library that is one unit off now and then."""
    return torch.from_numpy(np.sqrt(squared.numpy())) if squared.device.type == "cpu" else squared.sqrt()


def _nearest(x: Tensor, among: Tensor, k: int, own: int | None, columns: int) -> tuple[Tensor, Tensor]:
    """Squared distances and indices; `own` is the index of x's first row in `among`, if x is a part of it."""
    squared_of = _squared_of_bytes if x.dtype == torch.uint8 else _squared_of_floats
    best = torch.empty((len(x), 0), dtype=torch.float64, device=x.device)
    indices = torch.empty((len(x), 0), dtype=torch.int64, device=x.device)
    for first in range(0, len(among), columns):
        numbers = torch.arange(first, min(first + columns, len(among)), device=x.device)
        squared = squared_of(x, among[first : first + columns])
        if own is not None:
            squared[torch.arange(own, own + len(x), device=x.device)[:, None] == numbers] = torch.inf
        squared = torch.cat([best, squared], 1)
        numbers = torch.cat([indices, numbers.expand(len(x), -1)], 1)
        # Stable, so that ties are in order of the index. One more than k, as the point itself may be among them.
        best, places = (t[:, : k + 1] for t in squared.sort(dim=1, stable=True))
        indices = numbers.gather(1, places)
    return best[:, :k], indices[:, :k]


def _squared_of_bytes(x: Tensor, reference: Tensor) -> Tensor:
    """Computed in float64, which represents integers below 2^53 exactly."""
    a, b = x.double(), reference.double()
    return a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T


def _squared_of_floats(x: Tensor, reference: Tensor) -> Tensor:
    direct = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x.double(), reference.double(), compute_mode=direct).square()
