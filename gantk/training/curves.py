"""Follow the figures of a training: which checkpoint is the best, and whether the generator collapses."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from gantk.building.checks import better_when
from gantk.model import Model
from gantk.run.folder import Run
from gantk.training.measuring import metrics_of

__all__ = ["Curves"]


class Curves:
    """Follows the measurements of a training.

    Args:
        run: the run, in which the best checkpoint is recorded.
        model: the model; its metrics declare which values are better, and which figures fall in a collapse.
        keep_best: the figure, such as `frechet/frechet`, by which the best checkpoint is kept; empty for none.
        entries: the entries logged so far.
        patience: measurements in a row, in the last stage, without a better figure, after which it is `exhausted`; 0
            for never.

    Raises:
        OptionError: `keep_best` is not a figure for which lower or higher values are better.
    """

    def __init__(
        self,
        run: Run,
        model: Model,
        keep_best: str,
        entries: Sequence[Mapping[str, Any]] = (),
        patience: int = 0,
    ) -> None:
        self._run, self.figure = run, keep_best
        self._sign = -1 if keep_best and better_when(model, keep_best) == "lower" else 1
        self._watched = {
            f"measure/{name}/{figure}": share
            for name, metric in metrics_of(model).items()
            for figure, share in metric.collapses.items()
        }
        self._highest: dict[str, tuple[float, int]] = {}
        self._fallen: set[str] = set()
        self.looked_at = 0
        self._patience, self._last = patience, model.built.stages[-1].name
        self._highest_of_last, self._without = -math.inf, 0
        for entry in entries:
            self.add(int(entry["step"]), entry.get("values", {}), entry.get("stage"))

    def add(self, step: int, values: Mapping[str, float], stage: str | None) -> list[str]:
        """Add the measurements after a step of a stage.

        Returns:
            a line for each figure that has fallen.
        """
        if self.figure and f"measure/{self.figure}" in values:
            self.looked_at += 1
            if stage == self._last:
                self._count(self._sign * values[f"measure/{self.figure}"])
        said = []
        for path, share in self._watched.items():
            value = values.get(path, math.nan)
            highest, at = self._highest.get(path, (-math.inf, step))
            if value > highest:
                self._highest[path] = (value, step)
            elif value >= share * highest:
                self._fallen.discard(path)
            elif value < share * highest and path not in self._fallen:
                self._fallen.add(path)
                name = path.removeprefix("measure/")
                said.append(f"{name} fell to {value:.3g} from {highest:.3g} at step {at}: the generator may collapse")
        return said

    def _count(self, value: float) -> None:
        if value > self._highest_of_last:
            self._highest_of_last, self._without = value, 0
        else:
            self._without += 1

    @property
    def exhausted(self) -> bool:
        """Whether the last measurements, as many as `patience`, were not better than an earlier one."""
        return 0 < self._patience <= self._without

    def is_best(self, values: Mapping[str, float]) -> bool:
        """Whether this is better than the best checkpoint so far."""
        value = values.get(f"measure/{self.figure}", math.nan)
        if not self.figure or math.isnan(value):
            return False
        best = self._best()
        return best is None or self._sign * value > self._sign * best["value"]

    def keep(self, step: int, values: Mapping[str, float]) -> None:
        """Record that the checkpoint of a step, which is already on disk, is the best one."""
        found = {"step": step, "figure": self.figure, "value": values[f"measure/{self.figure}"]}
        self._run.write(self._run.best_file, json.dumps(found).encode())

    def said(self) -> str:
        """The best checkpoint in one line; empty if there is none."""
        best = self._best()
        if best is None:
            return ""
        many = f"of {self.looked_at} measurements" if self.looked_at > 1 else "the only measurement"
        place = self._run.checkpoint(best["step"])
        return f"best {self.figure}: {best['value']:.4g} at step {best['step']}, {many}; kept in {place}"

    def _best(self) -> Mapping[str, Any] | None:
        best = self._run.best() if self.figure else None
        return best if best is not None and best["figure"] == self.figure else None
