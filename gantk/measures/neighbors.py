"""A nearest-neighbor search that several estimators can share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.errors import GantkWarning, UsageError
from gantk.measures.duplicates import distinct, nearly_equal, resolution
from gantk.ops.knn import check_values, knn_distances

__all__ = ["Duplicates", "Neighbors"]

Duplicates = Literal["error", "drop", "keep"]
"""How to handle exact duplicates and points that differ only by rounding error: refuse them, drop all but the first, or
keep them."""

CLOSE = 1e-3
"""Fraction of the median nearest-neighbor distance below which two points may be modified copies."""

MANY = 0.01
"""Fraction of such points from which a warning is issued."""

TYPES = (torch.uint8, torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The distances from each point to its nearest neighbors, T_1 ≤ … ≤ T_k; `Neighbors.search` finds them.

    Distances from other sources can be used too: `Neighbors(distances)`.

    Args:
        distances: `[N, k]`, a tensor or an array; each row ascending, without the point itself.
        duplicates: `"error"` refuses distances of 0, whose logarithm, which all estimators use, is undefined; with
            `"keep"`, the estimators ignore a point's neighbors at distance 0.
        dropped: number of points excluded from the search as exact duplicates.
        near: number of further points excluded because they differed only by rounding error.
        rows: int64 `[N]`, the index of each row among the points that were searched, if some were excluded.

    Raises:
        UsageError: the distances are invalid, or one is 0 and `duplicates` is `"error"`.
    """

    distances: Tensor
    duplicates: Literal["error", "keep"] = "error"
    dropped: int = 0
    near: int = 0
    rows: Tensor | None = None

    def __post_init__(self) -> None:
        distances = torch.as_tensor(self.distances, dtype=torch.float64)
        _choice(self.duplicates, ("error", "keep"))
        if distances.ndim != 2 or 0 in distances.shape:
            raise UsageError(f"distances are [N, k], not {list(distances.shape)}.")
        if not bool(distances.isfinite().all()) or bool((distances[:, 0] < 0).any()):
            raise UsageError("distances must be finite and at least 0.")
        if bool((distances[:, 1:] < distances[:, :-1]).any()):
            raise UsageError("each row of distances must be ascending: sort them, or pass points instead.")
        object.__setattr__(self, "distances", distances)
        if self.duplicates == "error" and self.at_zero:
            raise UsageError(
                f"{self.at_zero} of {len(distances)} points have a neighbor at distance 0, whose logarithm is "
                "undefined: duplicates='keep' ignores such neighbors; 'drop', given with the points, drops duplicates."
            )

    @property
    def at_zero(self) -> int:
        """Number of points with a neighbor at distance 0."""
        return int((self.distances[:, 0] == 0).sum())

    @classmethod
    def search(
        cls,
        x: Tensor | npt.NDArray[Any],
        k: int,
        *,
        duplicates: Duplicates = "error",
        block: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Neighbors:
        """Find the k nearest neighbors of each point among the others.

        Args:
            x: points `[N, D]`, or `[N, …]` such as images; uint8 or any float dtype.
            k: number of neighbors, at least 1 and less than the number of points.
            duplicates: how to handle exact duplicates and points that differ only by rounding error (a few units in
                the last place of their original dtype; integers have no rounding error). `"error"` refuses them;
                `"drop"` drops all but the first and counts the others in `dropped` and `near`; `"keep"` keeps them, at
                distance 0.
            block: see `gantk.ops.knn_distances`.
            progress: receives the fraction of the search done, 0 to 1.

        Raises:
            UsageError: x has another dtype, contains NaN, has too few points for k, or contains duplicates.
        """
        points = flat_points(x)
        _choice(duplicates, get_args(Duplicates))
        dropped, rows = 0, None
        if duplicates != "keep":
            kept = distinct(points)
            dropped = len(points) - len(kept)
            if dropped and duplicates == "error":
                raise UsageError(
                    f"{dropped} of {len(points)} points are exact duplicates of an earlier one: use duplicates='drop' "
                    "or 'keep'."
                )
            if dropped:
                rows = kept.to(points.device)
                points = points[rows]
        _check_k(k, len(points), dropped)
        distances = knn_distances(points, k, block=block, progress=progress)
        reach = resolution(points, distances[:, 0], _type_of(x))
        if duplicates == "keep":
            return cls(distances.masked_fill_(distances <= reach[:, None], 0), "keep")
        later = nearly_equal(points, (distances[:, 0] <= reach).nonzero()[:, 0], reach)
        if near := len(later):
            if duplicates == "error":
                raise UsageError(
                    f"{near} of {len(points)} points differ from an earlier one only by rounding error, which makes "
                    "their distances meaningless: use duplicates='drop' or 'keep'."
                )
            kept = torch.ones(len(points), dtype=torch.bool, device=points.device)
            kept[later] = False
            rows = kept.nonzero()[:, 0] if rows is None else rows[kept]
            points = points[kept]
            _check_k(k, len(points), dropped + near)
            distances = knn_distances(points, k, block=block, progress=progress)
        _tell_of_pairs(distances[:, 0])
        return cls(distances, "error", dropped, near, rows)


def neighbors_of(x: Tensor | npt.NDArray[Any] | Neighbors, k: int, duplicates: Duplicates | None) -> Neighbors:
    """The given neighbors, at least k of each point, or those found by a search among the given points."""
    if not isinstance(x, Neighbors):
        return Neighbors.search(x, k, duplicates=duplicates or "error")
    if duplicates is not None:
        raise UsageError("duplicates cannot be combined with neighbors: give it to Neighbors.search.")
    if k > x.distances.shape[1]:
        raise UsageError(f"k = {k} needs {k} neighbors of each point, but only {x.distances.shape[1]} are given.")
    return x


def _tell_of_pairs(nearest: Tensor) -> None:
    """Warn if more points have very close neighbors than a smooth density can explain: a fraction CLOSE on a line, and
    fewer in more dimensions."""
    close = int((nearest < CLOSE * nearest.median()).sum())
    if close > MANY * len(nearest):
        warnings.warn(
            f"{close} of {len(nearest)} points are more than {round(1 / CLOSE):,} times closer to another point than "
            "the median; if they are slightly modified copies, the estimates are far too small: remove copies, as "
            "gantk.measures.dimension_range does.",
            GantkWarning,
            stacklevel=3,
        )


def flat_points(x: Tensor | npt.NDArray[Any]) -> Tensor:
    """`[N, D]`, uint8, float32 or float64."""
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "uf" or (x.dtype.kind == "u" and x.itemsize > 1) or x.itemsize > 8:
            raise UsageError(f"points are uint8 or float, not {x.dtype}: convert them.")
        # torch accepts neither foreign byte orders nor negative strides, and warns about read-only arrays.
        x = torch.from_numpy(np.require(x, x.dtype.newbyteorder("="), ["C", "W"]))
    if not isinstance(x, Tensor):
        raise UsageError(f"points are a tensor or an array, not {type(x).__name__}: convert them with numpy.asarray.")
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if x.dtype not in TYPES:
        raise UsageError(f"points are uint8 or float, not {x.dtype}: convert them.")
    if x.ndim < 2 or 0 in x.shape:
        raise UsageError(f"points are [N, D] or images [N, C, H, W], not {list(x.shape)}.")
    points = x.detach().flatten(1)
    check_values(points, "x")  # before comparing points bitwise, since NaNs can have equal bits
    return points


def _type_of(x: Tensor | npt.NDArray[Any]) -> torch.dtype | None:
    """The original dtype of the points, if it is a float dtype of torch."""
    dtype = x.dtype if isinstance(x, Tensor) else torch.from_numpy(np.empty(0, x.dtype.newbyteorder("="))).dtype
    return dtype if dtype.is_floating_point else None


def _check_k(k: int, count: int, dropped: int) -> None:
    if not 1 <= k < count:
        without = f" without {dropped} duplicates" if dropped else ""
        raise UsageError(f"k is from 1 to {count - 1} for {count} points{without}, not {k}.")


def _choice(value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"duplicates is {' or '.join(map(repr, choices))}, not {value!r}.")
