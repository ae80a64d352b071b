"""What a search for nearest neighbours goes by on every device: how it guesses, how long lists are, what bounds it.

A random sample of the columns gives each row a threshold that somewhat more than k columns should be within; what is
within it goes to the row's list. A list that holds at least k and has not overflowed holds the k nearest, whatever the
sample was, and the few other rows are searched again. So nothing here changes a result, and all of it the time taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["ERROR_MARGIN", "ROUNDING", "Plan"]

RISK = 0.005
"""The share of rows whose threshold is too low, and which are searched again."""

OVERFLOW = 0.001
"""The share of rows with more columns within their threshold than their list holds, where lists do not shrink."""

LEAST, SHARE = 64, 16
"""Columns of a sample: so many at least, and one of so many at most."""

MOST_RANKS = 32
"""The greatest rank that the CPU's kernels keep for each row."""

ROUNDING = 1e-9
"""More than the relative error of a distance, or of a number of a few operations on distances, in float64."""

ERROR_MARGIN = 1e-6
"""More than the relative error of a point's distance from its place on the grid of bytes; and its error in steps."""


@dataclass(frozen=True)
class Plan:
    """How thresholds are found: the `rank`-th smallest of the distances to `sample` columns; and how long lists are."""

    sample: int
    rank: int
    capacity: int

    @classmethod
    def for_lists(cls, columns: int, k: int) -> Plan | None:
        """For lists that take what comes, as the GPU's; None where searching everything costs no more.

        A row's list has Gamma(rank) · columns / sample entries, and is as long as OVERFLOW allows.
        """
        if columns < 4096 or k > columns // SHARE:
            return None
        sample = _sample(columns, k, max(3.4, k / 60))
        rank = _rank(k * sample / columns)
        longest = float(rank)
        while _poisson_below(rank, longest) > OVERFLOW:
            longest += 0.5
        return cls(sample, rank, math.ceil(longest * columns / sample) + 1)

    @classmethod
    def for_shrinking_lists(cls, columns: int, k: int, *, exact: bool) -> Plan:
        """For lists that drop all but the nearest when they are full, as the CPU's; rank 0 is no guess.

        Where bytes only screen, several times as many columns pass as are nearest: lists are longer.
        """
        capacity = k + k // 2 + 64 if exact else 6 * k + 64
        if columns < LEAST * SHARE:
            return cls(0, 0, capacity)
        sample = _sample(columns, k, 6.8)
        rank = _rank(k * sample / columns)
        return cls(sample, rank, capacity) if rank <= MOST_RANKS else cls(0, 0, capacity)


def _sample(columns: int, k: int, expected: float) -> int:
    """How many columns hold so many of the k nearest of a row, on average."""
    return max(LEAST, min(math.ceil(expected * columns / k), columns // SHARE))


def _rank(expected: float) -> int:
    """The rank that Poisson(expected) columns of a sample, those of the k nearest that are in it, rarely reach."""
    rank = 1
    while 1 - _poisson_below(rank, expected) >= RISK:
        rank += 1
    return rank


def _poisson_below(r: int, mean: float) -> float:
    """P(Poisson(mean) < r)."""
    return sum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(r))
