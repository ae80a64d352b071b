"""Whether generated images are copies of training images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric
from gantk.measures import Comparison, memorization

__all__ = ["MemorizationMetric"]

SUSPECT = 0.05
"""The share of near copies from which something is said: 0.01 is what a generator has that copies nothing."""


class MemorizationMetric(Metric):
    """How many generated images are copies of training images, as features see them.

    `memorized` is the share that lies no farther from its nearest training image than that lies from its nearest other
    one (1 - authenticity). New images do so too: `memorized_baseline` is their share, of training images that are each
    compared with the others. `near_copies` is the share that lies nearer, for the spacing there, than all but 1 % of
    these: about 0.01 if nothing is copied, 1 if everything is. The real images must be those that were trained on.
    """

    paper = "Alaa et al. 2022, arXiv 2102.08921"
    better: ClassVar = {"near_copies": "lower"}

    def least(self, comparison: Comparison) -> int:
        return 3

    def remark(self, figures: Mapping[str, float]) -> str:
        """Whether several times as many samples are near copies as of new images."""
        share = figures["near_copies"]
        if share <= SUSPECT:
            return ""
        return (
            f"{share:.0%} of the images lie nearer to a training image than 99% of new images do: "
            "they are copies, or nearly."
        )

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found = memorization(comparison.real.features, comparison.generated.features)
        return {
            "memorized": found.memorized,
            "memorized_baseline": found.baseline,
            "near_copies": found.near_copies,
        }
