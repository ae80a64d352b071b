"""Near-duplicates: points that are closer to another point than their neighborhood explains."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantk.measures.duplicates import nearly_equal
from gantk.measures.neighbors import Neighbors
from gantk.ops.knn import knn_distances

__all__ = ["near_duplicates", "neighborhood"]

RARE = 1e-4
"""The probability that a point of evenly distributed data counts as a near-duplicate."""

LARGEST = 100
"""Maximum number of neighbors in a neighborhood."""

LEAST = 10
"""Minimum number of neighbors in a neighborhood."""


def neighborhood(points: int) -> int:
    """The number of neighbors in a point's neighborhood: at most a tenth of the points; 0 if there are too few."""
    size = min(LARGEST, points // 10)
    return size if size >= LEAST else 0


def near_duplicates(points: Tensor, found: Neighbors) -> Tensor:
    """The points to leave out so that one of each group of near-duplicates remains: ascending indices `[M]`.

    At constant density in m dimensions, T_1 < c T_k has the probability 1 - (1 - c^m)^(k - 1), where T_1 and T_k are
    the distances to the nearest and the k-th nearest neighbor. Points for which it is below `RARE` have a
    near-duplicate. The dimension m is the median of log 2 / log(T_k / T_{k/2}), which does not depend on copies close
    to a point.

    Args:
        points: `[N, D]`, the points that were searched.
        found: their neighbors, at least `neighborhood(N)` of each; with fewer, no near-duplicates are found.
    """
    size = neighborhood(len(points))
    none = torch.empty(0, dtype=torch.int64)
    if not size or found.distances.shape[1] < size:
        return none
    distances = found.distances
    far, half = distances[:, size - 1], distances[:, size // 2 - 1]
    dimension = float((math.log(size / (size // 2)) / torch.log(far / half)).median())
    if not math.isfinite(dimension):
        return none
    reach = far * (-math.expm1(math.log1p(-RARE) / (size - 1))) ** (1 / dimension)
    (close,) = (distances[:, 0] <= reach).nonzero(as_tuple=True)
    if not len(close):
        return none
    # The partner of such a point need not be one itself.
    _, nearest = knn_distances(points[close], 2, reference=points, return_indices=True)
    suspects = torch.unique(torch.cat([close, nearest.flatten()]))
    return nearly_equal(points, suspects, torch.where(distances[:, 0] <= reach, reach, -1.0))
