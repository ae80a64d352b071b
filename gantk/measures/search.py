"""Nearest neighbors among points that are read in blocks, some of which may be left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gantk.data import DataSource
from gantk.ops import knn_distances

__all__ = ["Points", "Progress", "search"]

BLOCK = 2**26
"""Number of bytes of points read at a time."""

Progress = Callable[[float], object]


@dataclass(frozen=True)
class Points:
    """Points that are read in blocks.

    Args:
        count: number of points.
        read: returns the points at the given indices, `[n, …]`, uint8 or float.
    """

    count: int
    read: Callable[[Sequence[int]], Tensor]

    @classmethod
    def of_tensor(cls, points: Tensor) -> Points:
        """A tensor `[N, …]`, in memory or in a file."""
        return cls(len(points), lambda indices: points[torch.from_numpy(np.asarray(indices, dtype=np.int64))])

    @classmethod
    def of_images(cls, source: DataSource) -> Points:
        """The pixels of images as uint8, whose distances are exact."""
        return cls(len(source), source.images)

    def blocks(self, size: int) -> Iterator[tuple[int, Tensor]]:
        """Consecutive blocks of points, each with the index of its first point."""
        for start in range(0, self.count, size):
            yield start, self.read(range(start, min(start + size, self.count)))


def search(
    queries: Tensor, among: Points, k: int, left_out: Tensor | None = None, progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """Find the k nearest neighbors of queries among points that are read in blocks.

    Args:
        queries: `[N, …]`.
        among: the points to search.
        k: number of neighbors.
        left_out: `[N, m]`, indices of points to exclude for each query; -1 for none.
        progress: receives the fraction of the search that is done, 0 to 1.

    Returns:
        distances `[N, k]`, float64, ascending, and indices `[N, k]`, int64; infinity and -1 if there are fewer
        neighbors. Ties are broken by the smaller index.
    """
    left_out = torch.empty(len(queries), 0, dtype=torch.int64) if left_out is None else left_out
    wanted = k + left_out.shape[1]
    size = max(1, BLOCK // (queries[:1].numel() * queries.element_size()))
    distances = torch.full((len(queries), wanted), math.inf, dtype=torch.float64)
    indices = torch.full((len(queries), wanted), -1)
    for start, block in among.blocks(size):
        near, where = knn_distances(queries, min(wanted, len(block)), reference=block, return_indices=True)
        distances, indices = _nearest(
            torch.cat([distances, near], dim=1), torch.cat([indices, where + start], dim=1), wanted
        )
        if progress is not None:
            progress(min(1.0, (start + len(block)) / among.count))
    out = (indices[:, :, None] == left_out[:, None, :]).any(2)
    return _nearest(distances.masked_fill(out, math.inf), indices.masked_fill(out, -1), k)


def _nearest(distances: Tensor, indices: Tensor, k: int) -> tuple[Tensor, Tensor]:
    # The sort is stable and blocks are in the order of their indices, so ties are broken by the smaller index.
    order = distances.sort(dim=1, stable=True).indices[:, :k]
    return distances.gather(1, order), indices.gather(1, order)
