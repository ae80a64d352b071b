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
        self._count = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
        self._count += 1

    def take(self) -> dict[str, float]:
        """The means, as plain numbers; starts over."""
        if not self._sums:
            return {}
        means = (torch.stack([value.reshape(()) for value in self._sums.values()]) / self._count).tolist()
        taken = dict(zip(self._sums, means, strict=True))
        self._sums, self._count = {}, 0
        return taken
