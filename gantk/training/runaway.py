"""Objectives that run away: finite, and growing without bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

__all__ = ["Runaway"]

SEVERAL = 3
"""Reports of a stage that say how large an objective is at first, and of which each one in a row must be too large."""
GROWTH = 10.0
"""How many times as large as that is too large."""
LARGE = 10_000.0
"""What is smaller is none too large: a critic's score begins at almost nothing, and may drift to thousands."""
OBJECTIVE = "/objective"


class Runaway:
    """Watches the objectives of one stage's players, from its beginning or from where training is resumed."""

    def __init__(self) -> None:
        self._reports = 0
        self._first: dict[str, float] = {}
        self._beyond: Counter[str] = Counter()

    def warnings(self, values: Mapping[str, float]) -> list[str]:
        """A sentence on each player whose objective has run away; one is told once.

        Args:
            values: what is logged, the means since the last report.
        """
        self._reports += 1
        objectives = {name.removesuffix(OBJECTIVE): x for name, x in values.items() if name.endswith(OBJECTIVE)}
        return [self._said(name, x) for name, x in objectives.items() if self._runs_away(name, abs(x))]

    def _runs_away(self, name: str, size: float) -> bool:
        first = self._first.setdefault(name, size)
        if self._reports <= SEVERAL:
            self._first[name] = max(first, size)
            return False
        if size > max(LARGE, GROWTH * first):
            self._beyond[name] += 1
            return self._beyond[name] == SEVERAL
        if self._beyond[name] < SEVERAL:
            self._beyond[name] = 0
        return False

    def _said(self, name: str, value: float) -> str:
        return (
            f"the objective of {name} is running away: {value:.3g}, at first at most {self._first[name]:.3g}. Use a "
            "loss that is bounded on these parts, or a smaller lr"
        )
