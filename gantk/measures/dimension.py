"""The intrinsic dimension of data by maximum likelihood (Levina & Bickel 2004), as in DE-GAN's Table I and Figure 4.

If points are spread evenly on an m-dimensional surface, the number of points within a distance T grows as T^m, so m can
be estimated from the distances to the nearest neighbors.
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
from gantk.measures.neighbors import Duplicates, Neighbors, neighbors_of
from gantk.renamed import renamed

__all__ = ["LevinaBickel", "Normalizer", "Plateau", "intrinsic_dimension"]

Normalizer = Literal["k-1", "k-2"]
"""The divisor of the sum of logarithms: `"k-1"` is Levina & Bickel's equation 8 and DE-GAN's 15, `"k-2"` makes the
estimate unbiased."""

_TAKEN: dict[str, int] = {"k-1": 1, "k-2": 2}

BLOCK = 512
"""Number of points processed at a time: small enough for the processor's cache."""


@dataclass(frozen=True)
class Plateau:
    """The flattest part of a curve of estimates: the average over `first` ≤ k ≤ `last`."""

    first: int
    last: int
    value: float
    error: float
    """An upper bound of the standard error: the mean of the errors at these k, which share their points."""
    change: float
    """(maximum − minimum) / average over these k; 0 is flat."""


@dataclass(frozen=True, eq=False)
class LevinaBickel:
    """Estimates of the intrinsic dimension, one for each k; tensors are `[len(k)]`, float64 unless stated otherwise.

    The errors are standard errors over points. They treat points as independent, although nearby points share
    neighbors, and do not include the bias due to curvature, boundaries and uneven density.
    """

    k: tuple[int, ...]
    normalizer: Normalizer
    mean: Tensor
    """Average of the points' estimates, M̂_k: Levina & Bickel's equation 9 and DE-GAN's 16."""
    mean_error: Tensor
    harmonic: Tensor
    """The inverse of the average of inverses, which is the maximum likelihood estimate of all points together (MacKay &
    Ghahramani 2005); with `"k-1"` it has almost none of `mean`'s bias at small k."""
    harmonic_error: Tensor
    infinite: Tensor
    """int64: number of points whose k distances are all equal. Their estimate is infinite, and so is `mean`; `harmonic`
    is finite unless all of them are infinite."""
    undefined: Tensor
    """int64: number of points with too few neighbors at positive distance, possible only with `duplicates="keep"`.
    Their estimate is NaN, and averages exclude them."""
    neighbors: Neighbors

    @property
    def unbiased(self) -> Tensor:
        """`mean` without the bias that it has for ideal neighbors: what `"k-2"` gives; NaN at k = 2."""
        if self.normalizer == "k-2":
            return self.mean
        k = torch.tensor(self.k, dtype=torch.float64)
        return torch.where(k > 2, self.mean * (k - 2) / (k - 1), torch.nan)

    def per_point(self, k: int) -> Tensor:
        """The estimates m̂_k of the points, float64 `[N]`, for one of the requested k."""
        if k not in self.k:
            raise UsageError(f"k = {k} was not estimated; available: {_written(self.k)}.")
        return torch.cat([1 / inverse[:, 0] for inverse in _inverses(self.neighbors.distances, (k,), self.normalizer)])

    def flattest(self, average: Literal["mean", "harmonic", "unbiased"] = "mean") -> Plateau:
        """The range from some k to 2k over which the curve changes least, relative to its height.

        Ties are broken by the larger k. Doubling k has the same meaning for small and large k: twice the volume around
        a point.

        Raises:
            UsageError: there is no such average, the largest k is less than twice the smallest, or the estimates are
                infinite.
        """
        if average not in ("mean", "harmonic", "unbiased"):
            raise UsageError(f"average is 'mean', 'harmonic' or 'unbiased', not {average!r}.")
        curve = getattr(self, average)
        error = self.harmonic_error if average == "harmonic" else self.mean_error
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
            raise UsageError(f"k = {_written(self.k)} includes no range from some k to 2k with finite estimates.")
        return found


@renamed(normaliser="normalizer")
def intrinsic_dimension(
    x: Tensor | npt.NDArray[Any] | Neighbors,
    k: int | Iterable[int] = range(5, 101),
    *,
    normalizer: Normalizer = "k-1",
    duplicates: Duplicates | None = None,
) -> LevinaBickel:
    """Levina & Bickel's maximum-likelihood estimate of the intrinsic dimension, for one or several k from one search.

    With T_j(x) the distance from x to its j-th nearest neighbor, the estimate at x is

        m̂_k(x) = (k − 1) / Σ_{j=1}^{k−1} log(T_k(x) / T_j(x))

    or with k − 2 instead of the first k − 1. The expectation is m with k − 2, and m (k − 1) / (k − 2) with k − 1: a
    third too high at k = 5, a hundredth at k = 100. For the average of inverses it is the other way round: it is
    unbiased with k − 1.

    Args:
        x: points `[N, D]`, or `[N, …]` such as images, uint8 or float; or the `Neighbors` of an earlier search.
        k: number of neighbors, or several: at least 2 (3 with `"k-2"`), and less than the number of points. The
            result has them in ascending order without repetitions.
        normalizer: see above.
        duplicates: how to handle exact duplicates: `"error"` (the default), `"drop"` or `"keep"`; see
            `Neighbors.search`. With `"keep"`, only a point's p neighbors at positive distance are used, and p
            replaces k. Cannot be combined with `Neighbors`, which already define it.

    Raises:
        UsageError: k does not fit the points or the normalizer, or x is invalid.
    """
    if normalizer not in get_args(Normalizer):
        raise UsageError(f"normalizer is 'k-1' or 'k-2', not {normalizer!r}.")
    wanted = _wanted(k, _TAKEN[normalizer] + 1)
    found = neighbors_of(x, wanted[-1], duplicates)
    average, harmonic = _Average(), _Average()
    infinite = torch.zeros(len(wanted), dtype=torch.int64)
    for inverse in _inverses(found.distances, wanted, normalizer):
        average.add(1 / inverse)
        harmonic.add(inverse)
        infinite += (inverse == 0).sum(0).cpu()
    undefined = len(found.distances) - average.count
    if bool((undefined == len(found.distances)).any()):
        raise UsageError(
            f"at k = {wanted[int(undefined.argmax())]}, no point has {_TAKEN[normalizer] + 1} neighbors at positive "
            "distance: use a larger k, or duplicates='drop'."
        )
    whole = 1 / harmonic.mean
    return LevinaBickel(
        k=wanted,
        normalizer=normalizer,
        mean=torch.where(infinite > 0, torch.inf, average.mean),
        mean_error=torch.where(infinite > 0, torch.inf, average.error()),
        harmonic=whole,
        harmonic_error=torch.where(whole.isinf(), torch.inf, whole**2 * harmonic.error()),
        infinite=infinite,
        undefined=undefined,
        neighbors=found,
    )


def _wanted(k: int | Iterable[int], least: int) -> tuple[int, ...]:
    try:
        wanted = tuple(sorted({operator.index(each) for each in (k if isinstance(k, Iterable) else [k])}))
    except TypeError:
        raise UsageError(f"k is an integer or several integers, not {k!r}.") from None
    if not wanted:
        raise UsageError("k is an integer or several integers, but none is given.")
    if wanted[0] < least:
        raise UsageError(f"k must be at least {least} with the normalizer 'k-{least - 1}', not {wanted[0]}.")
    return wanted


def _written(k: tuple[int, ...]) -> str:
    whole = len(k) > 2 and k == tuple(range(k[0], k[-1] + 1))
    return f"{k[0]} to {k[-1]}" if whole else ", ".join(map(str, k))


def _inverses(distances: Tensor, k: tuple[int, ...], normalizer: Normalizer) -> Iterator[Tensor]:
    """1 / m̂_k of blocks of points, `[n, len(k)]`; NaN if a point has too few neighbors at positive distance.

    With p of its k neighbors at positive distance and t_1 … t_p these distances, Σ_j log(t_p / t_j) is
    Σ_j j·log(t_{j+1} / t_j): no term is negative, so there is no cancellation, and equal distances give exactly 0.
    """
    columns = torch.tensor(k, device=distances.device)
    neighbor = torch.arange(1, k[-1], device=distances.device)
    for start in range(0, len(distances), BLOCK):
        block = distances[start : start + BLOCK, : k[-1]]
        at_zero = (block == 0).sum(1, keepdim=True)
        near, far = block[:, :-1], block[:, 1:]
        growth = torch.where(near > 0, torch.log1p((far - near) / near), 0.0)
        sums = (growth * (neighbor - at_zero).clamp_min(0)).cumsum(1)[:, columns - 2]
        terms = columns - at_zero.minimum(columns) - _TAKEN[normalizer]
        yield torch.where(terms >= 1, sums / terms, torch.nan)


class _Average:
    """Means and standard errors of columns, accumulated over blocks of rows; ignores NaN."""

    def __init__(self) -> None:
        self.count = torch.zeros(1, dtype=torch.int64)
        self.mean = torch.zeros(1, dtype=torch.float64)
        self._squares = torch.zeros(1, dtype=torch.float64)

    def add(self, values: Tensor) -> None:
        """Chan, Golub & LeVeque's update of sums of squared deviations."""
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
        """The standard error of the mean: the standard deviation over points divided by the root of their number."""
        return (self._squares / (self.count - 1) / self.count).sqrt()
