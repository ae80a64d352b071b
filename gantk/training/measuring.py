"""Measurements during training: figures of parts and metrics every few steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import torch

from gantk.building.resolved import resolved
from gantk.building.spec import part_table
from gantk.building.train_settings import TrainSettings
from gantk.calls import calling
from gantk.data import DataSource
from gantk.evaluation.in_training import Measurements
from gantk.measures.figures import checked_figures
from gantk.model import Model
from gantk.nn import evaluating
from gantk.parts import Metric
from gantk.seeds import derive_seed, forked
from gantk.spread import on_devices

__all__ = ["Measuring", "metrics_of"]


def metrics_of(model: Model) -> dict[str, Metric]:
    """The metrics of a model, by name."""
    return {name: part for name, part in model.metric.items() if isinstance(part, Metric)}


class Measuring:
    """Measures a model repeatedly, with the same random seed and without changing anything.

    Args:
        model: the model.
        data: the training data.
        spec: the run's spec, with the data plugin and the seed.
        settings: the number of images and the extractor.
        devices: the devices to divide the work among; empty for the model's own.
    """

    def __init__(
        self,
        model: Model,
        data: DataSource,
        spec: Mapping[str, Any],
        settings: TrainSettings,
        devices: Sequence[torch.device] = (),
    ) -> None:
        self._model, self._data, self._spec, self._settings = model, data, spec, settings
        self._devices = devices
        self._seed = derive_seed(spec["seed"], "measure")

    @cached_property
    def _measurements(self) -> Measurements:
        table = resolved("data", part_table("data", self._spec["data"])) if "data" in self._spec else None
        return Measurements(self._data, self._settings.measure_samples, self._settings.extractor, table)

    def check(self) -> None:
        """Check before the first step that all metrics can be computed.

        Raises:
            FitError: a metric needs something that is not available.
        """
        if metrics := metrics_of(self._model):
            self._measurements.check(self._model, metrics)

    def values(self, total: int) -> dict[str, float]:
        """The figures after a step of the run, by their names in the log, such as `measure/prdc/coverage`."""
        values: dict[str, float] = {}
        metrics = metrics_of(self._model)
        with forked(self._seed), torch.no_grad(), evaluating(self._model):
            with on_devices(self._devices) if self._devices else nullcontext():
                found = self._measurements.measure(self._model, metrics, self._seed) if metrics else {}
            for path, part in self._model.parts.items():
                with calling(f"step {total}: {type(part).__name__}.measure", "the model"):
                    own = checked_figures(part.measure(self._model), f"{type(part).__name__}.measure")
                name = path.removeprefix("metric.")
                figures = {**(found.get(name, {}) if path != name else {}), **own}
                values |= {f"measure/{name}/{figure}": value for figure, value in figures.items()}
        return values
