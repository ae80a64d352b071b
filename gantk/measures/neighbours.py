"""One search for nearest neighbours, for every estimator that wants their distances."""

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

__all__ = ["Duplicates", "Neighbours"]

Duplicates = Literal["error", "drop", "keep"]
"""What to do with exact duplicates, or that only rounding tells apart: refuse them, leave all but
the first out, or keep them."""

CLOSE = 1e-3
"""How much nearer than most a point's nearest neighbor is where one may be a changed copy of the other."""

MANY = 0.01
"""The share of such points from which on they are told of."""

TYPES = (torch.uint8, torch.float32, torch.float64)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The distances from each point to its nearest neighbours, T_1 ≤ … ≤ T_k; `Neighbours.search` finds them.

    Distances from elsewhere are as good: `Neighbours(distances)`.

    Args:
        distances: `[N, k]`, a tensor or an array; each row ascending, the point itself not among its neighbours.
        duplicates: `"error"` refuses a distance of 0, as the logarithms that all estimators take have no value there;
            `"keep"` leaves it to them, and they look at a point's neighbours at positive distance only.
        dropped: how many points were left out of the search, as they were equal to others.
        near: how many more were left out, as only rounding told them from others.

    Raises:
        UsageError: the distances are not such, or one is 0 and `duplicates` is `"error"`.
    """

    distances: Tensor
    duplicates: Literal["error", "keep"] = "error"
    dropped: int = 0
    near: int = 0

    def __post_init__(self) -> None:
        distances = torch.as_tensor(self.distances, dtype=torch.float64)
        _choice(self.duplicates, ("error", "keep"))
        if distances.ndim != 2 or 0 in distances.shape:
            raise UsageError(f"distances are [N, k], not {list(distances.shape)}.")
        if not bool(distances.isfinite().all()) or bool((distances[:, 0] < 0).any()):
            raise UsageError("distances are 0 or greater and finite; these hold others.")
        if bool((distances[:, 1:] < distances[:, :-1]).any()):
            raise UsageError("each row of distances ascends; these do not: sort them, or give points to search among.")
        object.__setattr__(self, "distances", distances)
        if self.duplicates == "error" and self.at_zero:
            raise UsageError(
                f"{self.at_zero} of {len(distances)} points have a neighbour at distance 0, where no logarithm exists: "
                "duplicates='keep' looks at the others only, and 'drop', given with the points, leaves equal ones out."
            )

    @property
    def at_zero(self) -> int:
        """How many points have a neighbour at distance 0."""
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
    ) -> Neighbours:
        """Find each point's k nearest neighbours among the others.

        Args:
            x: points `[N, D]`, or `[N, …]` as images are; uint8, or any type of float.
            k: how many neighbours, at least 1 and fewer than there are points.
            duplicates: what to do with exact duplicates, or that lie no farther apart than
                rounding puts two copies of one (some units in the last place of the type of float that they came in;
                whole numbers are never rounded). `"error"` refuses them; `"drop"` leaves all but the first of them out
                and counts them in `dropped` and `near`; `"keep"` searches with them, and their distance is 0.
            block: see `gantk.ops.knn_distances`.
            progress: told what share of the search is done, 0 to 1.

        Raises:
            UsageError: x is of another type, holds NaN, or has too few points for k, or there are duplicates.
        """
        points = _points(x)
        _choice(duplicates, get_args(Duplicates))
        dropped = 0
        if duplicates != "keep":
            kept = distinct(points)
            dropped = len(points) - len(kept)
            if dropped and duplicates == "error":
                raise UsageError(
                    f"{dropped} of {len(points)} points are equal to an earlier one: choose duplicates='drop', which "
                    "leaves them out, or 'keep'."
                )
            points = points[kept.to(points.device)] if dropped else points
        _check_k(k, len(points), dropped)
        distances = knn_distances(points, k, block=block, progress=progress)
        reach = resolution(points, distances[:, 0], _type_of(x))
        if duplicates == "keep":
            return cls(distances.masked_fill_(distances <= reach[:, None], 0), "keep")
        later = nearly_equal(points, (distances[:, 0] <= reach).nonzero()[:, 0], reach)
        if near := len(later):
            if duplicates == "error":
                raise UsageError(
                    f"{near} of {len(points)} points differ from an earlier one by rounding error only, which makes "
                    "their distances meaningless: choose duplicates='drop', which leaves them out, or 'keep'."
                )
            kept = torch.ones(len(points), dtype=torch.bool, device=points.device)
            kept[later] = False
            points = points[kept]
            _check_k(k, len(points), dropped + near)
            distances = knn_distances(points, k, block=block, progress=progress)
        _tell_of_pairs(distances[:, 0])
        return cls(distances, "error", dropped, near)


def neighbours_of(x: Tensor | npt.NDArray[Any] | Neighbours, k: int, duplicates: Duplicates | None) -> Neighbours:
    """What an estimator was given: neighbours that somebody has found, at least k, or points to search among."""
    if not isinstance(x, Neighbours):
        return Neighbours.search(x, k, duplicates=duplicates or "error")
    if duplicates is not None:
        raise UsageError("duplicates is chosen where the neighbours are searched, not with neighbours that are found.")
    if k > x.distances.shape[1]:
        raise UsageError(f"k = {k} needs as many neighbours of each point; these are {x.distances.shape[1]}.")
    return x


def _tell_of_pairs(nearest: Tensor) -> None:
    """Warn where far more points have a close twin than any smooth density gives: one in 1 / CLOSE on a line, and fewer
    in more dimensions."""
    close = int((nearest < CLOSE * nearest.median()).sum())
    if close > MANY * len(nearest):
        warnings.warn(
            f"{close} of {len(nearest)} points lie more than {round(1 / CLOSE):,} times nearer to another point than "
            "most do; if these are copies with slight changes, the estimates are far too small: leave copies out.",
            GantkWarning,
            stacklevel=3,
        )


def _points(x: Tensor | npt.NDArray[Any]) -> Tensor:
    """`[N, D]`, uint8, float32 or float64."""
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "uf" or (x.dtype.kind == "u" and x.itemsize > 1) or x.itemsize > 8:
            raise UsageError(f"points are uint8 or float, not {x.dtype}: convert them.")
        # torch takes neither another machine's byte order nor negative strides, and warns of what cannot be written.
        x = torch.from_numpy(np.require(x, x.dtype.newbyteorder("="), ["C", "W"]))
    if not isinstance(x, Tensor):
        raise UsageError(f"points are a tensor or an array, not {type(x).__name__}: numpy.asarray makes one.")
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if x.dtype not in TYPES:
        raise UsageError(f"points are uint8 or float, not {x.dtype}: convert them.")
    if x.ndim < 2 or 0 in x.shape:
        raise UsageError(f"points are [N, D] or images [N, C, H, W], not {list(x.shape)}.")
    points = x.detach().flatten(1)
    check_values(points, "x")  # before points are compared: NaN has bits that equal each other
    return points


def _type_of(x: Tensor | npt.NDArray[Any]) -> torch.dtype | None:
    """What the points came in, where that is a type of float that torch has."""
    dtype = x.dtype if isinstance(x, Tensor) else torch.from_numpy(np.empty(0, x.dtype.newbyteorder("="))).dtype
    return dtype if dtype.is_floating_point else None


def _check_k(k: int, count: int, dropped: int) -> None:
    if not 1 <= k < count:
        without = f" without {dropped} duplicates" if dropped else ""
        raise UsageError(f"k is from 1 to {count - 1} for {count} points{without}, not {k}.")


def _choice(value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"duplicates is {' or '.join(map(repr, choices))}, not {value!r}.")
