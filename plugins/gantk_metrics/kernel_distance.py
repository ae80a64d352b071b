"""The kernel distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric, require
from gantk.measures import Comparison, kernel_distance

__all__ = ["KernelMetric"]


class KernelMetric(Metric):
    """The kernel distance between the features of real and generated images; lower is better.

    It is called KID only with the features of Inception. `kernel_distance` is the squared maximum mean discrepancy with
    the kernel (x·y / D + 1)^degree, averaged over random subsets, and `kernel_distance_spread` its standard deviation
    over them. The estimate is unbiased, so it is suitable for few images, and can be slightly negative.

    Args:
        subsets: number of random subsets, at least 1.
        size: number of images from each side in a subset, at least 2; limited to half of the smaller side.
        degree: degree of the kernel, at least 1.
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
