"""Means of what is logged, over the steps of a log interval."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["Averages"]


class Averages:
    """Means of named values since they were last taken; they stay on their device until then."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The means, each over the steps that had the value, as plain numbers; starts over."""
        if not self._sums:
            return {}
        sums = torch.stack([value.reshape(()) for value in self._sums.values()]).tolist()
        taken = {name: total / self._counts[name] for name, total in zip(self._sums, sums, strict=True)}
        self._sums, self._counts = {}, {}
        return taken
