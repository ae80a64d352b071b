"""An estimate of the intrinsic dimension with its range over estimators, numbers of neighbors and of points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt
import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.dimension import LevinaBickel, intrinsic_dimension
from gantk.measures.near_duplicates import near_duplicates, neighborhood
from gantk.measures.neighbors import Neighbors, flat_points
from gantk.measures.twonn import two_nn

__all__ = ["DimensionRange", "dimension_range"]

Estimator = Literal["mle", "twonn"]
Interval = tuple[float, float]

MANY = 0.01
"""Fraction of near-duplicates above which they are left out."""


@dataclass(frozen=True)
class DimensionRange:
    """An estimate of the intrinsic dimension with its range."""

    value: float
    """The maximum likelihood estimate of all points together where its curve over k is flattest; the TwoNN estimate if
    only TwoNN was requested."""
    low: float
    """Minimum over all intervals in `spread`."""
    high: float
    """Maximum over all intervals in `spread`."""
    spread: Mapping[str, Interval]
    """What was varied (`estimator`, `k` or `points`) → the minimum and maximum estimate."""
    points: int
    """Number of points used for the estimates."""
    near_duplicates: int
    """Number of points that are much closer to another point than their neighborhood explains, without one of each
    group."""
    left_out: bool
    """Whether near-duplicates were left out, as they are if they exceed 1 % of the points."""
    with_them: Interval | None
    """Minimum and maximum of all estimates with the near-duplicates; `None` unless they were left out."""

    @property
    def noise(self) -> int:
        """The smallest noise dimension that is no less than any estimate: `high`, rounded up."""
        return math.ceil(self.high)


def dimension_range(
    x: Tensor | npt.NDArray[Any],
    k: int | Iterable[int] = range(5, 101),
    *,
    estimators: Sequence[Estimator] = ("mle", "twonn"),
    found: Neighbors | None = None,
    rng: torch.Generator | None = None,
    progress: Callable[[float], object] | None = None,
) -> DimensionRange | None:
    """Estimate the intrinsic dimension, and how much the estimate depends on arbitrary choices.

    The estimators are those with little bias at small k: the harmonic mean, the mean with k - 2, and TwoNN. Choose the
    noise dimension by the greatest of them, because estimates are too low for large dimensions, and the lower the
    larger k is.

    Near-duplicates, such as frames of one scene or one drawing in several colors, lower the estimates that depend on
    the nearest neighbors, TwoNN most of all. If there are many, all but one of each group are left out.

    Args:
        x: points `[N, D]`, or `[N, …]` such as images, uint8 or float; exact duplicates are dropped.
        k: numbers of neighbors for maximum likelihood.
        estimators: `mle`, `twonn` or both.
        found: the neighbors of x, if they are known: `Neighbors.search(x, …, duplicates="drop")`.
        rng: random number generator that draws half of the points; by default, every call draws the same ones.
        progress: receives the fraction of a search that is done, 0 to 1.

    Returns:
        the range; `None` if every estimate is infinite.

    Raises:
        UsageError: x is invalid, or has too few points for k.
    """
    wanted = sorted({*k}) if isinstance(k, Iterable) else [k]
    most = wanted[-1] if "mle" in estimators else 2
    if found is None:
        found = Neighbors.search(x, max(most, neighborhood(len(x))), duplicates="drop", progress=progress)
    points = flat_points(x)
    if found.rows is not None:
        points = points[found.rows]
    later = near_duplicates(points, found)
    whole = _estimates(found, wanted, estimators)
    left_out = len(later) > MANY * len(points) and len(points) - len(later) > max(most, 3)
    kept = whole
    if left_out:
        remain = torch.ones(len(points), dtype=torch.bool, device=points.device)
        remain[later] = False
        points = points[remain]
        kept = _estimates(Neighbors.search(points, most, duplicates="drop", progress=progress), wanted, estimators)
    if kept is None:
        return None
    spread = dict(kept.spread)
    if (half := len(points) // 2) > max(most, 3):
        order = torch.randperm(len(points), generator=rng or torch.Generator().manual_seed(0))[:half]
        fewer = Neighbors.search(points[order.sort().values.to(points.device)], most, duplicates="drop")
        if (halved := _estimates(fewer, wanted, estimators)) is not None:
            spread["points"] = _interval([kept.value, halved.value])
    low, high = _interval([end for interval in spread.values() for end in interval])
    return DimensionRange(
        value=kept.value,
        low=low,
        high=high,
        spread=spread,
        points=len(points),
        near_duplicates=len(later),
        left_out=left_out,
        with_them=_interval([end for each in whole.spread.values() for end in each]) if left_out and whole else None,
    )


@dataclass(frozen=True)
class _Estimates:
    value: float
    spread: Mapping[str, Interval]


def _estimates(found: Neighbors, k: Sequence[int], estimators: Sequence[Estimator]) -> _Estimates | None:
    """The estimates of some points; `None` if all are infinite."""
    named: list[float] = []
    spread: dict[str, Interval] = {}
    if "mle" in estimators:
        estimate = intrinsic_dimension(found, k)
        named += [_reading(estimate, "harmonic"), _reading(estimate, "unbiased")]
        curves = torch.cat([estimate.harmonic, estimate.unbiased])
        if len(estimate.k) > 1 and bool(curves.isfinite().any()):
            spread["k"] = _interval(curves[curves.isfinite()].tolist())
    if "twonn" in estimators:
        ratios = two_nn(found, resamples=2)
        named += [ratios.likelihood, ratios.fit]
    finite = [value for value in named if math.isfinite(value)]
    return _Estimates(finite[0], {"estimator": _interval(finite), **spread}) if finite else None


def _reading(estimate: LevinaBickel, average: Literal["harmonic", "unbiased"]) -> float:
    """The average where its curve is flattest, or else at the largest k."""
    try:
        return estimate.flattest(average).value
    except UsageError:
        return float(getattr(estimate, average)[-1])


def _interval(values: Sequence[float]) -> Interval:
    return min(values), max(values)
