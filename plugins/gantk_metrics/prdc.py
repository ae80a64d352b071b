"""Precision, recall, density and coverage."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric, require
from gantk.measures import Comparison, compare_manifolds

__all__ = ["PRDC"]


class PRDC(Metric):
    """Precision and density (are images realistic?), recall and coverage (is everything there?).

    Around each image's features lies a ball that reaches to its k-th neighbor on the same side. `precision` is the
    share of generated images within a real one's ball, `density` the number of real balls that a generated image lies
    in, by k; `recall` is the share of real images within a generated one's ball, `coverage` the share of real images
    with a generated one in their ball. Greater is better. All depend on the number of images: compare at the same one.

    Args:
        k: which neighbor a ball reaches to, at least 1.
    """

    paper = "Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797"
    better: ClassVar = dict.fromkeys(("precision", "recall", "density", "coverage"), "higher")
    collapses: ClassVar = {"coverage": 0.5}

    def __init__(self, *, k: int = 5) -> None:
        super().__init__()
        require(k >= 1, f"k must be at least 1, not {k}.")
        self.k = k

    def least(self, comparison: Comparison) -> int:
        """More than k, so that each image has a k-th neighbor."""
        return self.k + 1

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found = compare_manifolds(comparison.real.features, comparison.generated.features, self.k)
        return dataclasses.asdict(found)

    def remark(self, figures: Mapping[str, float]) -> str:
        """Whether images are realistic, and alike."""
        if figures["precision"] < 0.5 or figures["recall"] > 0.05:
            return ""
        return (
            f"{figures['precision']:.0%} of the images look real, but only {figures['recall']:.1%} of real images are "
            "near any of them: they hardly vary."
        )
