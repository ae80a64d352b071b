"""The intrinsic dimension of data by maximum likelihood (Levina & Bickel 2004), as in DE-GAN's Table I and Figure 4.

Where points are spread evenly on an m-dimensional surface, the number of them within a distance T grows as T^m, so how
the distances to the nearest neighbours grow tells m.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy.typing as npt
import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.neighbours import Duplicates, Neighbours, neighbours_of

__all__ = ["LevinaBickel", "Normaliser", "Plateau", "intrinsic_dimension"]

Normaliser = Literal["k-1", "k-2"]
"""What the sum of logarithms is divided by: `"k-1"` is Levina & Bickel's equation 8 and DE-GAN's 15, `"k-2"` makes a
point's estimate unbiased."""

_TAKEN: dict[str, int] = {"k-1": 1, "k-2": 2}

BLOCK = 512
"""Points that are estimated at a time: few enough for the processor's cache."""


@dataclass(frozen=True)
class Plateau:
    """Where a curve of estimates is flattest: the average over `first` ≤ k ≤ `last`."""

    first: int
    last: int
    value: float
    error: float
    """At most this standard error: the mean of the errors at these k, which share their points."""
    change: float
    """(Greatest − least) / average over these k; 0 is flat."""


@dataclass(frozen=True, eq=False)
class LevinaBickel:
    """Estimates of the intrinsic dimension, one for each k; tensors are `[len(k)]`, float64 where nothing else is said.

    The errors are standard errors over points: they take points for independent, which neighbours are not, as these
    share their neighbours, and they know nothing of the bias that curvature, borders and uneven density bring.
    """

    k: tuple[int, ...]
    normaliser: Normaliser
    mean: Tensor
    """Average of the points' estimates, M̂_k: Levina & Bickel's equation 9 and DE-GAN's 16."""
    mean_error: Tensor
    harmonic: Tensor
    """The inverse of the average of inverses, which is the maximum likelihood of all points at once (MacKay &
    Ghahramani 2005); with `"k-1"` it has almost none of `mean`'s bias at small k."""
    harmonic_error: Tensor
    infinite: Tensor
    """int64: points whose k distances are all equal. Their estimate is infinite, and so is `mean`; `harmonic` stays
    finite as long as not all of them are."""
    undefined: Tensor
    """int64: points with too few neighbours at positive distance, which only `duplicates="keep"` allows. Their estimate
    is NaN, and they are in no average."""
    neighbours: Neighbours

    def per_point(self, k: int) -> Tensor:
        """The points' own estimates m̂_k, float64 `[N]`, for one of the k that were asked for."""
        if k not in self.k:
            raise UsageError(f"k = {k} was not asked for; these are {_written(self.k)}.")
        return torch.cat([1 / inverse[:, 0] for inverse in _inverses(self.neighbours.distances, (k,), self.normaliser)])

    def flattest(self, average: Literal["mean", "harmonic"] = "mean") -> Plateau:
        """The stretch from some k to 2k over which the curve changes least, relative to its height.

        Of two that change equally little it is the one with greater k. Doubling k means the same at small and at great
        k: twice the volume around a point.

        Raises:
            UsageError: there is no such average, the greatest k is not twice the least, or the estimates are infinite.
        """
        if average not in ("mean", "harmonic"):
            raise UsageError(f"average is 'mean' or 'harmonic', not {average!r}.")
        curve, error = getattr(self, average), getattr(self, f"{average}_error")
        found: Plateau | None = None
        for start, first in enumerate(self.k):
            end = next((index for index, k in enumerate(self.k) if k >= 2 * first), None)
            if end is None:
                break
            values = curve[start : end + 1]
            value = float(values.mean())
            change = float(values.max() - values.min()) / value
            if math.isfinite(change) and (found is None or change <= found.change):
                found = Plateau(first, self.k[end], value, float(error[start : end + 1].mean()), change)
        if found is None:
            raise UsageError(f"k = {_written(self.k)} holds no stretch from some k to 2k with finite estimates.")
        return found


def intrinsic_dimension(
    x: Tensor | npt.NDArray[Any] | Neighbours,
    k: int | Iterable[int] = range(5, 101),
    *,
    normaliser: Normaliser = "k-1",
    duplicates: Duplicates | None = None,
) -> LevinaBickel:
    """Levina & Bickel's maximum-likelihood estimate of the intrinsic dimension, for one k or many from one search.

    With T_j(x) the distance from x to its j-th nearest neighbour, the estimate at x is

        m̂_k(x) = (k − 1) / Σ_{j=1}^{k−1} log(T_k(x) / T_j(x))

    or with k − 2 in place of the first k − 1. The expectation is m with k − 2, and m (k − 1) / (k − 2) with k − 1: a
    third too much at k = 5, a hundredth at k = 100. With the average of inverses it is the other way round: that is
    unbiased with k − 1.

    Args:
        x: points `[N, D]`, or `[N, …]` as images are, uint8 or float; or the `Neighbours` of an earlier search.
        k: how many neighbours: at least 2 (3 with `"k-2"`), and fewer than there are points. The result has
            them in ascending order, each once.
        normaliser: see above.
        duplicates: what to do with exact duplicates: `"error"` where nothing is said, `"drop"` or
            `"keep"`; see `Neighbours.search`. With `"keep"`, only the p neighbours of a point at positive distance
            count, and p stands in place of k. Not to be given with `Neighbours`, as it was chosen there.

    Raises:
        UsageError: k does not fit the points or the normaliser, or the points are no points.
    """
    if normaliser not in get_args(Normaliser):
        raise UsageError(f"normaliser is 'k-1' or 'k-2', not {normaliser!r}.")
    wanted = _wanted(k, _TAKEN[normaliser] + 1)
    found = neighbours_of(x, wanted[-1], duplicates)
    average, harmonic = _Average(), _Average()
    infinite = torch.zeros(len(wanted), dtype=torch.int64)
    for inverse in _inverses(found.distances, wanted, normaliser):
        average.add(1 / inverse)
        harmonic.add(inverse)
        infinite += (inverse == 0).sum(0).cpu()
    undefined = len(found.distances) - average.count
    if bool((undefined == len(found.distances)).any()):
        raise UsageError(
            f"at k = {wanted[int(undefined.argmax())]}, no point has {_TAKEN[normaliser] + 1} neighbours at positive "
            "distance: take a greater k, or duplicates='drop'."
        )
    whole = 1 / harmonic.mean
    return LevinaBickel(
        k=wanted,
        normaliser=normaliser,
        mean=torch.where(infinite > 0, torch.inf, average.mean),
        mean_error=torch.where(infinite > 0, torch.inf, average.error()),
        harmonic=whole,
        harmonic_error=torch.where(whole.isinf(), torch.inf, whole**2 * harmonic.error()),
        infinite=infinite,
        undefined=undefined,
        neighbours=found,
    )


def _wanted(k: int | Iterable[int], least: int) -> tuple[int, ...]:
    try:
        wanted = tuple(sorted({operator.index(each) for each in (k if isinstance(k, Iterable) else [k])}))
    except TypeError:
        raise UsageError(f"k is a whole number of neighbours, or several; not {k!r}.") from None
    if not wanted:
        raise UsageError("k is a number of neighbours, or several; none is given.")
    if wanted[0] < least:
        raise UsageError(f"k must be at least {least} with the normaliser 'k-{least - 1}', not {wanted[0]}.")
    return wanted


def _written(k: tuple[int, ...]) -> str:
    whole = len(k) > 2 and k == tuple(range(k[0], k[-1] + 1))
    return f"{k[0]} to {k[-1]}" if whole else ", ".join(map(str, k))


def _inverses(distances: Tensor, k: tuple[int, ...], normaliser: Normaliser) -> Iterator[Tensor]:
    """1 / m̂_k of blocks of points, `[n, len(k)]`; NaN where a point has too few neighbours at positive distance.

    With p of its k neighbours at positive distance and t_1 … t_p these distances, Σ_j log(t_p / t_j) is
    Σ_j j·log(t_{j+1} / t_j): no term is negative, so nothing cancels, and distances that are all equal give exactly 0.
    """
    columns = torch.tensor(k, device=distances.device)
    neighbour = torch.arange(1, k[-1], device=distances.device)
    for start in range(0, len(distances), BLOCK):
        block = distances[start : start + BLOCK, : k[-1]]
        at_zero = (block == 0).sum(1, keepdim=True)
        near, far = block[:, :-1], block[:, 1:]
        growth = torch.where(near > 0, torch.log1p((far - near) / near), 0.0)
        sums = (growth * (neighbour - at_zero).clamp_min(0)).cumsum(1)[:, columns - 2]
        terms = columns - at_zero.minimum(columns) - _TAKEN[normaliser]
        yield torch.where(terms >= 1, sums / terms, torch.nan)


class _Average:
    """Means and standard errors of columns that arrive in blocks of rows; NaN is left out."""

    def __init__(self) -> None:
        self.count = torch.zeros(1, dtype=torch.int64)
        self.mean = torch.zeros(1, dtype=torch.float64)
        self._squares = torch.zeros(1, dtype=torch.float64)

    def add(self, values: Tensor) -> None:
        """Chan, Golub & LeVeque's update of sums of squares about the mean."""
        count = (~values.isnan()).sum(0)
        mean = values.nansum(0) / count.clamp_min(1)
        squares = (values - mean).square().nansum(0)
        count, mean, squares = count.cpu(), mean.cpu(), squares.cpu()
        total = self.count + count
        apart = mean - self.mean
        self._squares = self._squares + squares + apart**2 * self.count * count / total.clamp_min(1)
        self.mean = self.mean + apart * count / total.clamp_min(1)
        self.count = total

    def error(self) -> Tensor:
        """The standard error of the mean: the standard deviation over points by the root of their number."""
        return (self._squares / (self.count - 1) / self.count).sqrt()
