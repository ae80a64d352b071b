"""Whether generated images are copies of training images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric
from gantk.measures import Comparison, memorization

__all__ = ["MemorizationMetric"]

SUSPECT = 0.05
"""The share of near copies above which a remark is made; 0.01 is expected without memorization."""


class MemorizationMetric(Metric):
    """The share of generated images that are copies of training images, by their features.

    `memorized` is the share of images that are no farther from their nearest training image than it is from its nearest
    other one (1 - authenticity). Some new images are, too: `memorized_baseline` is the share of training images, each
    compared with the others. `near_copies` is the share that is closer to a training image, relative to the spacing
    there, than 99 % of these: about 0.01 without memorization, 1 if all are copies. The real images must be the
    training images.
    """

    paper = "Alaa et al. 2022, arXiv 2102.08921"
    better: ClassVar = {"near_copies": "lower"}

    def least(self, comparison: Comparison) -> int:
        return 3

    def remark(self, figures: Mapping[str, float]) -> str:
        """A remark if there are several times as many near copies as expected."""
        share = figures["near_copies"]
        if share <= SUSPECT:
            return ""
        return (
            f"{share:.0%} of the images are closer to a training image than 99% of new images would be: "
            "they are copies or near copies."
        )

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found = memorization(comparison.real.features, comparison.generated.features)
        return {
            "memorized": found.memorized,
            "memorized_baseline": found.baseline,
            "near_copies": found.near_copies,
        }
