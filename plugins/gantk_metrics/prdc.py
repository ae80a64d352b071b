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

    Each image has a ball around its features with the distance to its k-th nearest neighbor of the same side as radius.
    `precision` is the share of generated images in the ball of a real image; `density` is the number of real images'
    balls that contain a generated image, divided by k; `recall` is the share of real images in the ball of a generated
    image; `coverage` is the share of real images whose ball contains a generated image. Higher is better. All depend on
    the number of images: compare values for the same number.

    Args:
        k: the neighbor that determines the radius, at least 1.
    """

    paper = "Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797"
    better: ClassVar = dict.fromkeys(("precision", "recall", "density", "coverage"), "higher")
    collapses: ClassVar = {"coverage": 0.5}

    def __init__(self, *, k: int = 5) -> None:
        super().__init__()
        require(k >= 1, f"k must be at least 1, not {k}.")
        self.k = k

    def least(self, comparison: Comparison) -> int:
        """More than k images, so that each has a k-th neighbor."""
        return self.k + 1

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found = compare_manifolds(comparison.real.features, comparison.generated.features, self.k)
        return dataclasses.asdict(found)

    def remark(self, figures: Mapping[str, float]) -> str:
        """A remark if images are realistic, but not diverse."""
        if figures["precision"] < 0.5 or figures["recall"] > 0.05:
            return ""
        return (
            f"{figures['precision']:.0%} of the images look real, but only {figures['recall']:.1%} of real images are "
            "close to any of them: the images hardly vary."
        )
