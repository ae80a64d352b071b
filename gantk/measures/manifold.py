"""Precision, recall, density and coverage, from balls around points up to their k-th nearest neighbors.

Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.ops.knn import knn_distances

__all__ = ["Manifolds", "compare_manifolds"]

ROWS, COLUMNS = 512, 1024
"""Numbers of real and generated points whose distances are computed at a time."""

PLACED = 2**26
"""Number of coordinates of real points that are scaled at a time, once for all generated points."""

PAIRS = 2**17
"""Number of coordinates of pairs that are subtracted at a time: as many as fit into a core's cache."""

ROUNDING = 1e-9
"""More than the relative rounding error of a distance in float64, so that a point on the border of a ball is always
outside."""


@dataclass(frozen=True)
class Manifolds:
    """The overlap of two sets of points, each represented by balls around its points up to their k-th neighbors."""

    precision: float
    """Share of generated points in the ball of a real point."""
    recall: float
    """Share of real points in the ball of a generated point."""
    density: float
    """Average number of real points' balls that contain a generated point, divided by k: about 1 if both distributions
    are the same; it can exceed 1."""
    coverage: float
    """Share of real points whose ball contains a generated point."""


def compare_manifolds(
    real: Tensor, generated: Tensor, k: int = 5, progress: Callable[[float], object] | None = None
) -> Manifolds:
    """Compute precision, recall, density and coverage exactly; memory does not grow with the number of pairs.

    Args:
        real: `[N, D]`, with more than k points.
        generated: `[M, D]`, with more than k points.
        k: the radius of a point's ball is the distance to its k-th nearest neighbor in the same set.
        progress: receives the fraction that is done, 0 to 1.

    Raises:
        UsageError: a set has too few points, or the sets have different dimensions.
    """
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise UsageError(f"points are [N, D] and [M, D], not {list(real.shape)} and {list(generated.shape)}.")
    if not 1 <= k < min(len(real), len(generated)):
        raise UsageError(f"k is from 1 to {min(len(real), len(generated)) - 1} for this number of points, not {k}.")
    tell = progress or (lambda share: None)
    real_radii = knn_distances(real, k, progress=lambda share: tell(share / 3))[:, -1]
    generated_radii = knn_distances(generated, k, progress=lambda share: tell((1 + share) / 3))[:, -1]
    grid = _Grid(real, generated)
    balls = torch.zeros(len(generated), dtype=torch.int64)
    covered, recalled = (torch.zeros(len(real), dtype=torch.bool) for _ in range(2))
    for some in _slices(len(real), max(1, PLACED // real.shape[1])):
        placed = [(rows, grid.placed(real[rows])) for rows in _slices(some.stop, ROWS, some.start)]
        for columns in _slices(len(generated), COLUMNS):
            other = grid.placed(generated[columns])
            for rows, one in placed:
                squared = one.squared_distances(other)
                in_real = one.reached(other, squared, real_radii[rows], grid.scale)
                balls[columns] += in_real.sum(0)
                covered[rows] |= in_real.any(1)
                recalled[rows] |= other.reached(one, squared.T, generated_radii[columns], grid.scale).any(0)
            within = (columns.stop / len(generated)) * (some.stop - some.start)
            tell((2 + (some.start + within) / len(real)) / 3)
    return Manifolds(
        precision=float((balls > 0).double().mean()),
        recall=float(recalled.double().mean()),
        density=1 / k * float(balls.double().mean()),
        coverage=float(covered.double().mean()),
    )


class _Grid:
    """Centers and scales points, so that float32 can compare most distances with most radii."""

    def __init__(self, *sets: Tensor) -> None:
        parts = [part for points in sets for part in torch.split(points, ROWS)]
        count = sum(map(len, sets))
        self.center = sum((part.double().sum(0) for part in parts), torch.zeros(())) / count
        self.scale = max(float((part.double() - self.center).square().sum(1).max()) for part in parts) ** 0.5 or 1.0
        exact = torch.get_float32_matmul_precision() == "highest"
        self.dtype = torch.float32 if exact else torch.float64

    def placed(self, points: Tensor) -> _Placed:
        return _Placed(points, ((points.double() - self.center) / self.scale).to(self.dtype))


class _Placed:
    """Some points, and the same points after centering and scaling."""

    def __init__(self, points: Tensor, put: Tensor) -> None:
        self.points = points
        self.put = put
        self.squared = put.square().sum(1)
        self.lengths = self.squared.sqrt()

    def squared_distances(self, other: _Placed) -> Tensor:
        """`[n, m]`: squared distances of the scaled points, with rounding errors."""
        found = torch.addmm(self.squared[:, None], self.put, other.put.T, alpha=-2)
        return found.add_(other.squared)

    def reached(self, other: _Placed, squared: Tensor, radii: Tensor, scale: float) -> Tensor:
        """bool `[n, m]`: whether the other points are within the radii of these.

        Args:
            other: m points.
            squared: the result of `squared_distances`.
            radii: `[n]`, before scaling.
            scale: the factor by which points were divided.
        """
        # Twice the maximum rounding error of such a sum in any order, eps / 2 for each product; the additional terms
        # are for rounding of the scaled points.
        unit = torch.finfo(self.put.dtype).eps
        margin = unit * (self.put.shape[1] + 16) * (self.lengths + other.lengths.max()).square().double() + 1e-36
        border = (radii / scale).square()
        surely = squared < (border - margin)[:, None].to(squared.dtype)
        perhaps = (squared <= (border + margin)[:, None].to(squared.dtype)).logical_xor_(surely)
        pairs = perhaps.nonzero()
        at_once = max(1, PAIRS // self.points.shape[1])
        for near in torch.split(pairs, at_once):
            row, column = near.unbind(1)
            exact = (self.points[row].double() - other.points[column].double()).square().sum(1).sqrt()
            surely[row, column] = exact < radii[row] * (1 - ROUNDING)
        return surely


def _slices(stop: int, size: int, first: int = 0) -> Iterator[slice]:
    return (slice(start, min(start + size, stop)) for start in range(first, stop, size))
