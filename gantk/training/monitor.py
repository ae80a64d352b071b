"""Monitor a model while it is trained: measurements and pictures of samples, in the run and in its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from gantk.building.faults import blaming
from gantk.grids import encoded, grid
from gantk.model import Model
from gantk.run.folder import Run
from gantk.run.log import Log
from gantk.schedule import Stage
from gantk.seeds import forked, rng_for
from gantk.training.curves import Curves
from gantk.training.measuring import Measuring
from gantk.training.progress import Progress

__all__ = ["Monitor"]


class Monitor:
    """Measures a model and draws its samples.

    Args:
        model: the model.
        run: the run, which keeps the pictures.
        measuring: measures the model.
        curves: follows the measurements.
        progress: receives what was measured.
        log: receives it too.
    """

    def __init__(
        self, model: Model, run: Run, measuring: Measuring, curves: Curves, progress: Progress, log: Log
    ) -> None:
        self._model, self._run, self._measuring, self._curves = model, run, measuring, curves
        self._progress, self._log = progress, log

    def measure(self, entry: Mapping[str, Any]) -> dict[str, float]:
        """The figures measured after a step, by their names in the log.

        Args:
            entry: the first entries of a line of the log.
        """
        total: int = entry["step"]
        values = self._measuring.values(total)
        if values:
            said = ", ".join(f"{name.removeprefix('measure/')} {value:.4g}" for name, value in values.items())
            self._progress.say(f"step {total}: {said}")
            self._log.write({**entry, "values": values})
        for warning in self._curves.add(total, values, entry["stage"]):
            self._progress.say(f"step {total}: warning: {warning}")
        return values

    def draw(self, stage: Stage, total: int, count: int) -> None:
        """Draw samples after a step of a stage, from the same noise each time, and keep their picture."""
        seed: int = self._model.built.spec["seed"]
        with forked(seed), torch.no_grad(), blaming(f"step {total}: "):
            images = (stage.preview or Model.preview)(self._model, count, rng_for(seed, "samples"))
        if images.shape[1] <= 4:
            drawn = grid(images.cpu())
            self._run.add_sample(total, encoded(drawn))
            self._log.picture("samples", drawn, total)
