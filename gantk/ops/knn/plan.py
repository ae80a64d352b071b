"""The parameters of the nearest-neighbor search on every device: sample sizes, list lengths, error bounds.

A random sample of the columns gives each row a threshold that slightly more than k columns should be within; these
columns are appended to the row's list. A list with at least k entries that has not overflowed contains the k nearest,
whatever the sample was; the few other rows are searched again. So these parameters affect only the speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["ERROR_MARGIN", "ROUNDING", "Plan"]

RISK = 0.005
"""Expected fraction of rows whose threshold is too low, so that they are searched again."""

OVERFLOW = 0.001
"""Expected fraction of rows whose list overflows, if lists do not shrink."""

LEAST, SHARE = 64, 16
"""A sample has at least LEAST columns, and at most 1 / SHARE of them."""

MOST_RANKS = 32
"""The maximum rank that the CPU kernels track for each row."""

ROUNDING = 1e-9
"""Upper bound of the relative error of distances, and of a few operations on them, in float64."""

ERROR_MARGIN = 1e-6
"""Upper bound of the relative error of a point's quantization error, and of its absolute error in steps."""


@dataclass(frozen=True)
class Plan:
    """A row's threshold is the `rank`-th smallest distance to `sample` columns; lists have `capacity` entries."""

    sample: int
    rank: int
    capacity: int

    @classmethod
    def for_lists(cls, columns: int, k: int) -> Plan | None:
        """The plan for append-only lists, as on the GPU; None if a full search is at least as fast.

        A row's list has Gamma(rank) · columns / sample entries; its capacity follows from OVERFLOW.
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
        """The plan for lists that are reduced to the nearest when they are full, as on the CPU; rank 0: no threshold.

        If bytes are only a filter for floats, several times more columns than the nearest pass it, so lists are longer.
        """
        capacity = k + k // 2 + 64 if exact else 6 * k + 64
        if columns < LEAST * SHARE:
            return cls(0, 0, capacity)
        sample = _sample(columns, k, 6.8)
        rank = _rank(k * sample / columns)
        return cls(sample, rank, capacity) if rank <= MOST_RANKS else cls(0, 0, capacity)


def _sample(columns: int, k: int, expected: float) -> int:
    """The number of columns that contain `expected` of a row's k nearest on average."""
    return max(LEAST, min(math.ceil(expected * columns / k), columns // SHARE))


def _rank(expected: float) -> int:
    """The rank rarely reached by the number of a row's k nearest in a sample, which is Poisson(expected)."""
    rank = 1
    while 1 - _poisson_below(rank, expected) >= RISK:
        rank += 1
    return rank


def _poisson_below(r: int, mean: float) -> float:
    """P(Poisson(mean) < r)."""
    return sum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(r))
