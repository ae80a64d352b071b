"""A trial of a search: a run that is built, trained, and possibly pruned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantk.building.load import reopened
from gantk.errors import UsageError, WorkError
from gantk.permissions import allowing_downloads, asks_for_downloads
from gantk.report.runs import total_steps
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.sweeps.folder import run_in, spec_of
from gantk.sweeps.grid import Cell
from gantk.sweeps.objective import Objective
from gantk.training import train

if TYPE_CHECKING:
    import optuna

__all__ = ["Training"]

EVERY = "train.measure_every"

MEASUREMENTS = 10
"""Number of measurements of a training, unless its settings change it."""


@dataclass(frozen=True)
class Training:
    """Trains the trials of a search.

    Args:
        folder: the folder of the runs.
        objective: the objective.
        without: parts of the recipe to leave out.
    """

    folder: Path
    objective: Objective
    without: Sequence[str]

    def __call__(self, trial: optuna.Trial, cell: Cell, known: Mapping[int, float]) -> tuple[bool, float]:
        """Train a trial or resume its run.

        Args:
            trial: receives the figures, by percent of the training, and decides whether to prune.
            cell: the build.
            known: the figures that were reported before.

        Returns:
            whether the trial was pruned, and its last figure.

        Raises:
            GantkError: the build or the training failed.
            Interrupted: training was stopped by a signal.
        """
        run, told = run_in(self.folder, cell), set(known)
        if not run.model_toml.is_file():
            run.create(self._spec(cell))
        steps = total_steps(run.spec())
        # The process may have been killed before the trial was recorded as pruned.
        pruned = max(told, default=100) < 100 and trial.should_prune()

        def prune(step: int, figures: Mapping[str, float]) -> bool:
            nonlocal pruned
            value, share = figures.get(self.objective.logged, math.nan), round(100 * step / steps)
            if not math.isfinite(value):
                return False
            if share not in told:
                trial.report(value, share)
                told.add(share)
            pruned = step < steps and trial.should_prune()
            return pruned

        if not pruned:
            with allowing_downloads(asks_for_downloads([cell.parts, list(cell.settings)])):
                train(reopened(run), run, stop_when=prune)
        return pruned, self._score(run)

    def _spec(self, cell: Cell) -> dict[str, Any]:
        spec = spec_of(cell, self.without)
        if spec["train"]["devices"] > 1:
            raise UsageError("a trial is trained on one device: start the same gantk tune command once for each device")
        if not any(each.partition("=")[0].strip() == EVERY for each in cell.settings):
            spec["train"]["measure_every"] = max(1, total_steps(spec) // MEASUREMENTS)
        return spec

    def _score(self, run: Run) -> float:
        curve = [entry["values"].get(self.objective.logged, math.nan) for entry in read_log(run.log_file)]
        known = [float(value) for value in curve if math.isfinite(value)]
        if not known:
            raise WorkError(f"{self.objective.figure} was never a finite number")
        return known[-1]
