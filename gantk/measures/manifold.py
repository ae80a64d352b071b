"""Precision, recall, density and coverage: which images lie in balls around others, as far as their k-th neighbors.

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

ROWS, COLUMNS = 1024, 4096
"""Real and generated points whose distances are looked at together."""

PLACED = 2**26
"""Coordinates of real points that are placed together, once for all generated points."""

PAIRS = 2**17
"""Numbers of pairs of points that are subtracted together: as many as a core's cache holds."""

ROUNDING = 1e-9
"""More than the relative error of a distance in float64: a point on the border of a ball is outside, as its distance is
the radius, whichever way the two were added up."""


@dataclass(frozen=True)
class Manifolds:
    """How the manifolds of two sets of points, unions of balls as far as each point's k-th neighbor, meet."""

    precision: float
    """The share of generated points within a real point's ball."""
    recall: float
    """The share of real points within a generated point's ball."""
    density: float
    """How many real balls a generated point lies in, by k: about 1 where both are alike, and it can be more."""
    coverage: float
    """The share of real points with a generated one in their ball."""


def compare_manifolds(
    real: Tensor, generated: Tensor, k: int = 5, progress: Callable[[float], object] | None = None
) -> Manifolds:
    """Precision, recall, density and coverage, exactly, in memory that does not grow with the number of pairs.

    Args:
        real: `[N, D]`, with more than k points.
        generated: `[M, D]`, with more than k points.
        k: which neighbor of the same set a point's ball reaches to.
        progress: told what share is done, 0 to 1.

    Raises:
        UsageError: a set has too few points, or the sets have other dimensions.
    """
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise UsageError(f"points are [N, D] and [M, D], not {list(real.shape)} and {list(generated.shape)}.")
    if not 1 <= k < min(len(real), len(generated)):
        raise UsageError(f"k is from 1 to {min(len(real), len(generated)) - 1} with so many points, not {k}.")
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
    """Where points are put so that float32 tells most distances from most radii: around 0, and not too far from it."""

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
    """Some points, and where they are put."""

    def __init__(self, points: Tensor, put: Tensor) -> None:
        self.points = points
        self.put = put
        self.squared = put.square().sum(1)
        self.lengths = self.squared.sqrt()

    def squared_distances(self, other: _Placed) -> Tensor:
        """`[n, m]`, with rounding errors, where the points are put."""
        found = torch.addmm(self.squared[:, None], self.put, other.put.T, alpha=-2)
        return found.add_(other.squared)

    def reached(self, other: _Placed, squared: Tensor, radii: Tensor, scale: float) -> Tensor:
        """bool `[n, m]`: whether the other points are within the radii of these.

        Args:
            other: m points.
            squared: what `squared_distances` returns.
            radii: `[n]`, as they are, not as they are put.
            scale: by which points are divided where they are put.
        """
        # Twice what sums of so many products, in any order, can be off, eps / 2 for each. The rest is for the points'
        # own rounding before.
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
