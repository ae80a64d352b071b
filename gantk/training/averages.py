"""Means of logged values over a log interval, and the time since the start of a stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["Averages"]


class Averages:
    """Means of named values since the last `take`; until then, tensors stay on their device.

    Args:
        state: the result of `state`, to resume from it.
        device: the device of the tensors.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        state: Mapping[str, Any] | None = None,
        device: torch.device | str = "cpu",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        before = state or {}
        self._sums: dict[str, Tensor] = {
            name: torch.tensor(value, dtype=torch.float32, device=device)
            for name, value in before.get("sums", {}).items()
        }
        self._numbers: dict[str, float] = dict(before.get("numbers", {}))
        self._counts: dict[str, int] = dict(before.get("counts", {}))
        self._clock = clock
        self._began: float = clock() - before.get("seconds", 0.0)

    @property
    def seconds(self) -> float:
        """Seconds since the start of the stage, including those before a resume."""
        return self._clock() - self._began

    def add(self, values: Mapping[str, Tensor | float]) -> None:
        """Add the values of one turn: numbers, or scalar tensors, which are not synchronized with the CPU."""
        sums, added = [], []
        for name, value in values.items():
            if not isinstance(value, Tensor):
                self._numbers[name] = self._numbers.get(name, 0.0) + value
            elif name in self._sums:
                sums.append(self._sums[name])
                added.append(_scalar(value))
            else:
                self._sums[name] = _scalar(value).clone()
            self._counts[name] = self._counts.get(name, 0) + 1
        if sums:
            torch._foreach_add_(sums, added)

    def share(self, mean: Callable[[Tensor], Tensor]) -> None:
        """Replace the sums by their means over devices, which add the same values.

        Args:
            mean: the mean of a tensor over devices.
        """
        if self._sums:
            self._sums = dict(zip(self._sums, mean(torch.stack([*self._sums.values()])).unbind(), strict=True))

    def take(self) -> dict[str, float]:
        """The mean of each value over the turns that had it, as floats; starts a new interval."""
        counts = self._counts
        # Rounded, the mean of a weight that is always 0.1 is 0.1.
        taken = {name: float(f"{total / counts[name]:.12g}") for name, total in self._numbers.items()}
        if self._sums:
            totals = zip(self._sums, torch.stack([*self._sums.values()]).tolist(), strict=True)
            taken |= {name: total / counts[name] for name, total in totals}
        taken = {name: taken[name] for name in counts}
        self._sums, self._numbers, self._counts = {}, {}, {}
        return taken

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint, so that a resumed run logs the same means; floats hold them exactly."""
        sums = torch.stack([*self._sums.values()]).tolist() if self._sums else []
        return {
            "sums": dict(zip(self._sums, sums, strict=True)),
            "numbers": dict(self._numbers),
            "counts": dict(self._counts),
            "seconds": self.seconds,
        }


def _scalar(value: Tensor) -> Tensor:
    return value.detach().reshape(()).float()
