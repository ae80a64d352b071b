"""The accuracy of a linear classifier of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from gantk import Metric, require
from gantk.errors import FitError
from gantk.measures import Comparison, fit_svm

__all__ = ["SVMAccuracy"]

WEIGHTS = (0.01, 0.1, 1.0, 10.0)


class SVMAccuracy(Metric):
    """The accuracy on held-out images of a linear L2-SVM trained on features; higher is better.

    It measures features rather than samples: with `--extractor discriminator:run=RUN`, it is DCGAN's test of its
    discriminator. `svm_accuracy` is the accuracy on held-out images, and `svm_training_accuracy` that on training
    images.

    Args:
        c: weight of errors, above 0; by default, the best of 0.01, 0.1, 1 and 10 on a held-out fifth of the training
            images.
    """

    needs = frozenset({"features", "labels", "held out"})
    costly = True
    paper = "Radford et al. 2016, arXiv 1511.06434, section 5.1"
    better: ClassVar = {"svm_accuracy": "higher"}

    def __init__(self, *, c: float | None = None) -> None:
        super().__init__()
        require(c is None or c > 0, f"c must be above 0, not {c}.")
        self.c = c

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        real, held_out = comparison.real, comparison.held_out
        assert held_out is not None
        if real.labels is None or held_out.labels is None or real.source.classes != held_out.source.classes:
            raise FitError(f"{real.name} and {held_out.name} have different classes.")
        features, labels = real.features, real.labels
        c = self._best(features, labels) if self.c is None else self.c
        svm = fit_svm(features, labels, c)
        return {
            "svm_accuracy": svm.accuracy(held_out.features, held_out.labels),
            "svm_training_accuracy": svm.accuracy(features, labels),
            "svm_c": c,
        }

    def _best(self, features: torch.Tensor, labels: torch.Tensor) -> float:
        order = torch.randperm(len(features))
        apart, fitted = order[: len(order) // 5].sort().values, order[len(order) // 5 :].sort().values
        some, rest = features[fitted], features[apart]
        found = {c: fit_svm(some, labels[fitted], c).accuracy(rest, labels[apart]) for c in WEIGHTS}
        return max(found, key=lambda c: found[c])
