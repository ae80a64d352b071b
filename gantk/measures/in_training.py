"""Measuring metrics in training: on some real images, whose features are kept, and as many generated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from gantk.building.construct import construct
from gantk.data import ArraySource, DataSource, to_uint8
from gantk.measures.comparison import Comparison, measure
from gantk.measures.side import Side
from gantk.parts import Extractor, Metric

if TYPE_CHECKING:
    from gantk.model import Model

__all__ = ["Measurements"]


class Measurements:
    """Measures a model repeatedly against the same real images.

    Args:
        data: the training data.
        samples: number of images of each side; fewer if the data set has fewer.
        extractor: the extractor plugin, with options, for metrics that do not require a specific one.
    """

    def __init__(self, data: DataSource, samples: int, extractor: str) -> None:
        count = min(samples, len(data))
        chosen = np.unique(np.linspace(0, len(data) - 1, count).astype(np.int64))
        labels = data.labels(chosen) if data.classes else None
        self._some = ArraySource(data.images(chosen), labels, data.classes, "the data")
        self._extractor = extractor
        self._real: dict[str, Side] = {}

    def measure(self, model: Model, metrics: dict[str, Metric], seed: int) -> dict[str, dict[str, float]]:
        """The scores of each metric by name; all metrics see the same samples, determined by the seed."""
        images = ArraySource(to_uint8(model.sample(len(self._some), seed)), name="the samples")
        generated: dict[str, Side] = {}
        figures = {}
        for name, metric in metrics.items():
            text = (metric.extractor or self._extractor) if metric.needs & {"features", "probabilities"} else ""
            if text not in self._real:
                self._real[text] = Side(self._some, self._opened(text, model), name="the data")
            real = self._real[text]
            if text not in generated:
                generated[text] = Side(images, real.extractor if text else None, name="the samples")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                figures[name] = measure(metric, Comparison(real, generated[text], model=model))
        return figures

    def _opened(self, text: str, model: Model) -> Extractor | None:
        if not text:
            return None
        made: Extractor = construct("extractor", text, image_shape=self._some.image_shape)
        return made.to(model.device).eval().requires_grad_(False)
