"""Objectives that run away: finite, and far beyond anything that is learned from."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Runaway"]

FIRST = 3
"""Reports of a stage that say how large an objective usually is."""
GROWTH = 1000.0
"""How many times as large as that is too large."""
LARGE = 65504.0
"""What is smaller is none too large: the largest number of float16. The scores of a critic may grow for long."""
OBJECTIVE = "/objective"


class Runaway:
    """Watches the objectives of one stage's players, from its beginning or from where training is resumed."""

    def __init__(self) -> None:
        self._reports = 0
        self._usual: dict[str, float] = {}
        self._told: set[str] = set()

    def warnings(self, values: Mapping[str, float]) -> list[str]:
        """A sentence on each player whose objective has come to run away; one is told once.

        Args:
            values: what is logged, the means since the last report.
        """
        self._reports += 1
        found = []
        for name, value in values.items():
            if not name.endswith(OBJECTIVE):
                continue
            usual = self._usual.setdefault(name, abs(value))
            if self._reports <= FIRST:
                self._usual[name] = max(usual, abs(value))
            elif name not in self._told and abs(value) > max(LARGE, GROWTH * usual):
                self._told.add(name)
                found.append(
                    f"the objective of {name.removesuffix(OBJECTIVE)} has run away to {value:.3g}, from at most "
                    f"{usual:.3g} at first: its loss has no bound that these networks keep; try a smaller lr, a "
                    "penalty, or other parts"
                )
        return found
