"""The intrinsic dimension from the two nearest neighbors of each point (Facco, d'Errico, Rodriguez & Laio 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.neighbors import Duplicates, Neighbors, neighbors_of
from gantk.renamed import renamed

__all__ = ["TwoNN", "two_nn"]


@dataclass(frozen=True)
class TwoNN:
    """Two estimates of the intrinsic dimension from the same ratios T_2 / T_1.

    The errors treat points as independent, which nearby points are not, and do not include bias.
    """

    fit: float
    """The slope of the paper's line."""
    fit_error: float
    """Bootstrap standard deviation of the slope."""
    likelihood: float
    """The unbiased maximum likelihood estimate; the discarded ratios are treated as censored."""
    likelihood_error: float
    """Its standard error: likelihood / √(ratios used − 2), exact for independent points."""
    points: int
    """Number of ratios."""
    discarded: int
    """Number of largest ratios that were discarded."""
    undefined: int
    """Number of points without two neighbors at positive distance; possible only with `duplicates="keep"`."""
    neighbors: Neighbors


@renamed(generator="rng")
def two_nn(
    x: Tensor | npt.NDArray[Any] | Neighbors,
    *,
    discard: float = 0.1,
    duplicates: Duplicates | None = None,
    resamples: int = 200,
    rng: torch.Generator | None = None,
) -> TwoNN:
    """Facco et al.'s estimate of the intrinsic dimension from each point's two nearest neighbors.

    With μ = T_2 / T_1, log μ is exponential with rate m. `fit` is the paper's estimate: the least-squares line through
    the origin and the points (log μ_i, −log(1 − i/N)), for N ratios in ascending order. `likelihood` estimates the rate
    directly from the same n smallest ratios: (n − 1) / (Σ_{i≤n} log μ_i + (N − n) log μ_n).

    Args:
        x: points `[N, D]`, or `[N, …]` such as images, uint8 or float; or the `Neighbors` of an earlier search.
        discard: fraction of the largest ratios to discard, in (0, 1), because the density varies over large distances;
            at least one is discarded.
        duplicates: `"error"` (the default), `"drop"` or `"keep"`; see `Neighbors.search`. With `"keep"`, T_1 and T_2
            are a point's first two positive distances among its neighbors. Cannot be combined with `Neighbors`, which
            already define it.
        resamples: number of bootstrap resamples for `fit_error`, at least 2.
        rng: random number generator of the resamples; by default, every call uses the same ones.

    Raises:
        UsageError: an argument is out of range, x is invalid, or fewer than 3 ratios are left.
    """
    if not isinstance(discard, (int, float, np.floating)) or not 0 < discard < 1:
        raise UsageError(f"discard is a fraction between 0 and 1, not {discard!r}.")
    if not isinstance(resamples, (int, np.integer)) or resamples < 2:
        raise UsageError(f"resamples is an integer of at least 2, not {resamples!r}.")
    if rng is not None and not (isinstance(rng, torch.Generator) and rng.device.type == "cpu"):
        raise UsageError(f"rng is a torch.Generator on the CPU, not {rng!r}; create one with torch.Generator().")
    found = neighbors_of(x, 2, duplicates)
    growth = _log_ratios(found.distances).cpu()
    undefined = len(found.distances) - len(growth)
    count = len(growth)
    used = min(int(count * (1 - discard)), count - 1)
    if used < 3:
        raise UsageError(
            f"TwoNN needs at least 3 ratios, but only {max(used, 0)} of {len(found.distances)} points are left."
        )
    ordered = growth.sort().values
    slope = _slope(ordered, used)
    rng = rng or torch.Generator().manual_seed(0)
    others = torch.empty(resamples, dtype=torch.float64)
    for index in range(resamples):
        times = torch.randint(count, (count,), generator=rng).bincount(minlength=count)
        others[index] = _slope(ordered.repeat_interleave(times), used)  # still sorted
    whole = ordered[:used].sum() + (count - used) * ordered[used - 1]
    likelihood = (used - 1) / whole
    return TwoNN(
        fit=float(slope),
        fit_error=float(others.std()) if bool(others.isfinite().all()) else torch.inf,
        likelihood=float(likelihood),
        likelihood_error=float(likelihood) / (used - 2) ** 0.5,
        points=count,
        discarded=count - used,
        undefined=undefined,
        neighbors=found,
    )


def _log_ratios(distances: Tensor) -> Tensor:
    """log(T_2 / T_1) of the points that have two neighbors at positive distance."""
    first = (distances == 0).sum(1)
    has_two = first + 2 <= distances.shape[1]
    pairs = first[has_two, None] + torch.arange(2, device=distances.device)
    one, two = distances[has_two].gather(1, pairs).unbind(1)
    return torch.log1p((two - one) / one)


def _slope(ordered: Tensor, used: int) -> Tensor:
    """The slope of the line through the origin; infinite if no ratio is greater than 1."""
    x = ordered[:used]
    y = -torch.log1p(-torch.arange(1, used + 1, dtype=torch.float64) / len(ordered))
    return (x @ y) / (x @ x) if bool(x.any()) else torch.tensor(torch.inf, dtype=torch.float64)
