"""The accuracy of a linear classifier of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch

from gantk import Metric, require
from gantk.errors import FitError
from gantk.measures import Comparison, fit_svm

__all__ = ["SVMAccuracy"]


class SVMAccuracy(Metric):
    """The accuracy on held-out images of a linear L2-SVM trained on features; higher is better.

    It measures features rather than samples: with `--extractor discriminator:run=RUN`, it is DCGAN's test of its
    discriminator. `svm_accuracy` is the accuracy on held-out images, and `svm_training_accuracy` that on training
    images.

    Args:
        c: weights of errors; the best one on a held-out fifth of the training images is used.
    """

    needs = frozenset({"features", "labels", "held out"})
    costly = True
    paper = "Radford et al. 2016, arXiv 1511.06434, section 5.1"
    better: ClassVar = {"svm_accuracy": "higher"}

    def __init__(self, *, c: Sequence[float] = (0.01, 0.1, 1.0, 10.0)) -> None:
        super().__init__()
        require(len(c) > 0 and all(each > 0 for each in c), f"c must be numbers above 0, not {c}.")
        self.c = tuple(c)

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        real, held_out = comparison.real, comparison.held_out
        assert held_out is not None
        if real.labels is None or held_out.labels is None or real.source.classes != held_out.source.classes:
            raise FitError(f"{real.name} and {held_out.name} have different classes.")
        features, labels = real.features, real.labels
        c = self.c[0] if len(self.c) == 1 else self._best(features, labels)
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
        found = {c: fit_svm(some, labels[fitted], c).accuracy(rest, labels[apart]) for c in self.c}
        return max(found, key=lambda c: found[c])
