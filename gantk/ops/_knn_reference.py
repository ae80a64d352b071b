"""The search in plain torch: what the native one must agree with, and what runs where there is none."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["search"]

PAIRS = 2**24
"""Pairs that are looked at together, unless told otherwise: 128 MiB of distances."""


def search(
    x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int, progress: Callable[[float], object] | None
) -> tuple[Tensor, Tensor]:
    """Distances `[N, k]` and indices `[N, k]`, or `[N, 0]` where they are not asked for."""
    among = x if reference is None else reference
    rows = block or max(1, PAIRS // max(len(among), 1))
    distances = torch.empty((len(x), k), dtype=torch.float64, device=x.device)
    found = torch.empty((len(x), k if indices else 0), dtype=torch.int64, device=x.device)
    squared = _squared_of_bytes if x.dtype == torch.uint8 else _squared_of_floats
    for first in range(0, len(x), rows):
        part = x[first : first + rows]
        to = squared(part, among)
        if reference is None:
            own = torch.arange(len(part), device=x.device)
            to[own, first + own] = torch.inf
        nearest = to.sort(dim=1, stable=True)  # stable: of equal ones, the smaller index first
        distances[first : first + rows] = nearest.values[:, :k].sqrt()
        if indices:
            found[first : first + rows] = nearest.indices[:, :k]
        if progress is not None:
            progress(min(first + rows, len(x)) / len(x))
    return distances, found


def _squared_of_bytes(x: Tensor, reference: Tensor) -> Tensor:
    """In float64, where integers below 2^53 are exact."""
    a, b = x.double(), reference.double()
    return a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T


def _squared_of_floats(x: Tensor, reference: Tensor) -> Tensor:
    direct = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x.double(), reference.double(), compute_mode=direct).square()
