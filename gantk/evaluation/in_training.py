"""Metrics during training: on a subset of real images, whose features are cached, and as many generated ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from gantk.building.construct import construct
from gantk.data import DataSource
from gantk.errors import FitError
from gantk.evaluation.real import ImageSet, held_out_of
from gantk.evaluation.views import Drawn, Some
from gantk.measures.comparison import Comparison, measure, missing
from gantk.measures.side import Side
from gantk.model import Model
from gantk.parts import Extractor, Metric

__all__ = ["Measurements"]


class Measurements:
    """Measures a model repeatedly against the same real images.

    Args:
        data: the training data.
        samples: number of images of each side; fewer if the data set has fewer.
        extractor: the extractor plugin, with options, for metrics that do not require a specific one.
        table: the data plugin with its options, if any, which knows the held-out images.
    """

    def __init__(self, data: DataSource, samples: int, extractor: str, table: Mapping[str, Any] | None = None) -> None:
        count = min(samples, len(data))
        self._some = Some(data, np.unique(np.linspace(0, len(data) - 1, count).astype(np.int64)).tolist())
        self._held_out = held_out_of(ImageSet("the data", data, table=table), samples)
        self._extractor = extractor
        self._sides: dict[tuple[str, str], Side] = {}

    def check(self, model: Model, metrics: Mapping[str, Metric]) -> None:
        """Check before the first step of training that all metrics can be computed.

        Raises:
            FitError: a metric needs something that is not available, or more images.
        """
        sample = self._drawn(model, 0)
        for name, metric in metrics.items():
            if reason := missing(metric, self._comparison(metric, model, sample, {})):
                more = len(self._some) < metric.least(self._comparison(metric, model, sample, {}))
                mend = "; train.measure_samples is the number of images, train.extractor the features"
                raise FitError(f"metric '{name}': {reason}{mend if more else ''}.")

    def measure(self, model: Model, metrics: Mapping[str, Metric], seed: int) -> dict[str, dict[str, float]]:
        """The scores of each metric by name; all metrics see the same samples, determined by the seed."""
        sample, generated, figures = self._drawn(model, seed), dict[str, Side](), {}
        for name, metric in metrics.items():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                figures[name] = measure(metric, self._comparison(metric, model, sample, generated))
        return figures

    def _drawn(self, model: Model, seed: int) -> Drawn:
        return Drawn(model, len(self._some), seed, classes=self._some.classes)

    def _comparison(self, metric: Metric, model: Model, sample: Drawn, generated: dict[str, Side]) -> Comparison:
        text = (metric.extractor or self._extractor) if metric.needs & {"features", "probabilities"} else ""
        real = self._side("the data", self._some, text, model)
        if text not in generated:
            generated[text] = Side(sample, real.extractor if text else None, name="the sample")
        held_out = None
        if self._held_out is not None:
            held_out = self._side("the held-out images", self._held_out.source, text, model)
        return Comparison(real, generated[text], held_out, model)

    def _side(self, name: str, source: DataSource, text: str, model: Model) -> Side:
        key = (name, text)
        if key not in self._sides:
            known = next((side for (_, other), side in self._sides.items() if other == text), None)
            extractor = known.extractor if known is not None and text else self._opened(text, model)
            self._sides[key] = Side(source, extractor, name=name)
        return self._sides[key]

    def _opened(self, text: str, model: Model) -> Extractor | None:
        if not text:
            return None
        made: Extractor = construct("extractor", text, image_shape=self._some.image_shape)
        return made.to(model.device).eval().requires_grad_(False)
