"""The accuracy of a linear classifier of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from gantk import Metric, require
from gantk.errors import FitError
from gantk.measures import Comparison, LinearSVM, fit_svm

__all__ = ["SVMAccuracy"]

WEIGHTS = (0.01, 0.1, 1.0, 10.0)
MOST = 10_000
"""How many training images the weight is chosen on."""
TOLERANCE = 1e-2
"""Of the gradient, as `fit_svm` has it; an accuracy needs less than the functions themselves."""


class SVMAccuracy(Metric):
    """The accuracy on held-out images of a linear L2-SVM trained on features; higher is better.

    It measures features rather than samples: with `--extractor discriminator:run=RUN`, it is DCGAN's test of its
    discriminator. `svm_accuracy` is the accuracy on held-out images, and `svm_training_accuracy` that on training
    images.

    Args:
        c: weight of errors, above 0; by default, the best of 0.01, 0.1, 1 and 10 on a fifth of at most 10,000 training
            images, after fitting the other four fifths.
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
        c, start = self._best(features, labels) if self.c is None else (self.c, None)
        svm = fit_svm(features, labels, c, start=start, tolerance=TOLERANCE)
        return {
            "svm_accuracy": svm.accuracy(held_out.features, held_out.labels),
            "svm_training_accuracy": svm.accuracy(features, labels),
            "svm_c": c,
        }

    def _best(self, features: torch.Tensor, labels: torch.Tensor) -> tuple[float, LinearSVM]:
        """The best weight, and the classifier that was fitted with it to some of the images.

        Errors are summed, so the weight is multiplied by the ratio of all images to those that it is tried on.
        """
        order = torch.randperm(len(features))[:MOST]
        apart, fitted = order[: len(order) // 5].sort().values, order[len(order) // 5 :].sort().values
        some, rest, more = features[fitted], features[apart], len(features) / len(fitted)
        found: dict[float, LinearSVM] = {}
        svm = None
        for c in WEIGHTS:
            svm = found[c] = fit_svm(some, labels[fitted], c * more, start=svm, tolerance=TOLERANCE)
        best = max(found, key=lambda c: found[c].accuracy(rest, labels[apart]))
        return best, found[best]
