"""Exact nearest neighbors on several devices, each of which searches all points for its share of the queries."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gantk.spread import current_devices, spread

__all__ = ["search_divided"]

PARTS = 4
"""Parts of the queries for each device: as one that is slower takes fewer, none waits for long."""


def search_divided(
    x: Tensor, reference: Tensor | None, k: int, indices: bool, block: int, progress: Callable[[float], object] | None
) -> tuple[Tensor, Tensor]:
    """As the operator `gantk::knn_distances`, on the devices of `gantk.on_devices`; the results are on x's device."""

    def found(among: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        queries = x[rows].to(among.device)
        if reference is not None:
            distances, near = torch.ops.gantk.knn_distances(queries, among, k, indices, block)
        else:  # among all points, each is its own neighbor, if no others are at distance 0
            distances, near = torch.ops.gantk.knn_distances(queries, among, k + 1, True, block)
            distances, near = _without(rows.to(near.device), distances, near)
        return distances.to(x.device), near.to(x.device)

    rows = torch.arange(len(x), device=x.device).chunk(PARTS * len(current_devices()))
    distances, near, done = [], [], 0
    among = x if reference is None else reference
    for part in spread(among, lambda points, device: points.to(device), found, rows):
        distances.append(part[0])
        near.append(part[1])
        done += len(part[0])
        if progress is not None:
            progress(done / len(x))
    both = torch.cat(distances), torch.cat(near)
    return both[0], both[1] if indices else both[1].new_empty((len(x), 0))


def _without(own: Tensor, distances: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
    """Neighbors `[n, k]` of `[n, k + 1]`, without the point itself, or else without the last one."""
    itself = near == own[:, None]
    last = near.shape[1] - 1
    place = torch.where(itself.any(1), itself.int().argmax(1), last)
    kept = torch.arange(last + 1, device=near.device) != place[:, None]
    return distances[kept].view(-1, last), near[kept].view(-1, last)
