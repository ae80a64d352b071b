"""The kernel distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric, require
from gantk.measures import Comparison, kernel_distance

__all__ = ["KernelMetric"]


class KernelMetric(Metric):
    """The kernel distance between the features of real and of generated images; lower is better.

    It is called KID only of the features of Inception. It is the squared maximum mean discrepancy with the kernel
    (x·y / D + 1)^degree: `kernel_distance`, the mean over random subsets, and `kernel_distance_spread`, the standard
    deviation over them. Its estimate has no bias, so that it serves where images are few, and can be a little below 0.

    Args:
        subsets: how many random subsets, at least 1.
        size: images of each side in a subset, at least 2; half of the smaller side where that has fewer.
        degree: of the kernel, at least 1.
    """

    paper = "Bińkowski et al. 2018, arXiv 1801.01401"
    better: ClassVar = {"kernel_distance": "lower"}

    def __init__(self, *, subsets: int = 100, size: int = 1000, degree: int = 3) -> None:
        super().__init__()
        for name, value, least in (("subsets", subsets, 1), ("size", size, 2), ("degree", degree, 1)):
            require(value >= least, f"{name} must be at least {least}, not {value}.")
        self.subsets, self.size, self.degree = subsets, size, degree

    def least(self, comparison: Comparison) -> int:
        return 4

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found = kernel_distance(
            comparison.real.features,
            comparison.generated.features,
            subsets=self.subsets,
            size=self.size,
            degree=self.degree,
        )
        return {"kernel_distance": found.distance, "kernel_distance_spread": found.spread}
