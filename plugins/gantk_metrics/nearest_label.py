"""Classification of real images by their nearest generated image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from gantk import Metric
from gantk.errors import FitError
from gantk.measures import Comparison, Side, nearest_label_accuracy

__all__ = ["NearestNeighborAccuracy"]


class NearestNeighborAccuracy(Metric):
    """The share of held-out images with the class of their nearest generated image; higher is better.

    `neighbor_accuracy` shows how well a conditional generator captures the data; `neighbor_accuracy_real` is the same
    with as many training images instead of generated ones. The paper uses the distances of the extractor `pixels`.
    """

    needs = frozenset({"features", "held out", "labels", "generated labels"})
    paper = "Radford et al. 2016, arXiv 1511.06434"
    better: ClassVar = {"neighbor_accuracy": "higher"}

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        real, generated, held_out = comparison.real, comparison.generated, comparison.held_out
        assert held_out is not None
        some = torch.randperm(len(real))[: len(generated)].sort().values
        return {
            "neighbor_accuracy": self._accuracy(held_out, generated, torch.arange(len(generated))),
            "neighbor_accuracy_real": self._accuracy(held_out, real, some),
        }

    def _accuracy(self, held_out: Side, reference: Side, some: torch.Tensor) -> float:
        for side in (held_out, reference):
            if side.labels is None:
                raise FitError(f"{side.name} has no classes.")
        assert held_out.labels is not None
        assert reference.labels is not None
        if held_out.source.classes != reference.source.classes:
            raise FitError(f"{held_out.name} and {reference.name} have different classes.")
        return nearest_label_accuracy(
            held_out.features, held_out.labels, reference.features[some], reference.labels[some]
        )
