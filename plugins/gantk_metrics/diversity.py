"""How much generated images differ from each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gantk import Metric, require
from gantk.errors import FitError
from gantk.measures import Comparison, Side, diversity, ms_ssim, present_classes

__all__ = ["DiversityOfPixels", "MultiScaleSimilarity", "RelativeDiversity"]

AT_ONCE = 64
"""Pairs of images that are compared together."""


class DiversityOfPixels(Metric):
    """How far generated images are from their mean: E |x - E x|² over pixels in [-1, 1], beside the real images'.

    `diversity` is that of the generated images, and `diversity_relative` divides it by that of the real ones: 1 is
    best.
    """

    needs = frozenset[str]()
    paper = "Zhong et al. 2018, arXiv 1807.03923, Definition 3"

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        generated, real = (float(diversity(side.images()).values) for side in (comparison.generated, comparison.real))
        figures = {"diversity": generated}
        return {**figures, "diversity_relative": generated / real} if real else figures


class RelativeDiversity(Metric):
    """The diversity of each class of generated images, relative to that of real ones: 1 is best, 0 is one image only.

    Diversity is E |x - E x|² over pixels, and a classifier says which class an image has, a real one as well. `rdd` is
    the mean over the classes that have at least a tenth of the share that they have among real images, `rdd_least` and
    `rdd_most` are the extremes.
    """

    needs = frozenset({"probabilities"})
    paper = "Zhong et al. 2018, arXiv 1807.03923, Definition 3 and Table VI"

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        count = comparison.real.probabilities.shape[1]
        generated, real = (side.probabilities.argmax(1) for side in (comparison.generated, comparison.real))
        present = present_classes(generated, real, count)
        relative = _by_class(comparison.generated, generated, count) / _by_class(comparison.real, real, count)
        relative = relative[present & relative.isfinite()]
        if not len(relative):
            raise FitError("no class has two generated and two real images that differ, so that none can be compared.")
        return {"rdd": relative.mean().item(), "rdd_least": relative.min().item(), "rdd_most": relative.max().item()}


class MultiScaleSimilarity(Metric):
    """How similar random pairs of generated images are, beside pairs of real ones; less is more diverse.

    `ms_ssim` is the mean multi-scale structural similarity of pairs, and `ms_ssim_real` that of as many pairs of real
    images. Images below 176 pixels have fewer than its five scales: compare at one size only.

    Args:
        pairs: how many random pairs of each side, at least 1.
        within_classes: compare images of one class only, of a generator that is told which.
    """

    paper = "Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216; Odena et al. 2017, arXiv 1610.09585"
    better: ClassVar = {"ms_ssim": "lower"}

    def __init__(self, *, pairs: int = 1000, within_classes: bool = False) -> None:
        super().__init__()
        require(pairs >= 1, f"pairs must be at least 1, not {pairs}.")
        self.pairs = pairs
        self.needs = frozenset({"labels", "generated labels"} if within_classes else ())

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        return {"ms_ssim": self._mean(comparison.generated), "ms_ssim_real": self._mean(comparison.real)}

    def _mean(self, side: Side) -> float:
        classes = side.labels if self.needs else torch.zeros(len(side), dtype=torch.int64)
        assert classes is not None
        one, other = _pairs(classes, self.pairs)
        total = 0.0
        for first, second in zip(torch.split(one, AT_ONCE), torch.split(other, AT_ONCE), strict=True):
            total += ms_ssim(side.source.images(first.numpy()), side.source.images(second.numpy())).sum().item()
        return total / len(one)


def _by_class(side: Side, classes: Tensor, count: int) -> Tensor:
    """`[count]`: NaN for classes with fewer than 2 images."""
    found = torch.full((count,), math.nan, dtype=torch.float64)
    values = diversity(side.images(), classes).values
    found[: len(values)] = values
    return found


def _pairs(classes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Indices of random pairs of different images of one class, `[count]` each.

    A class is drawn as often as its images are, if it has two.
    """
    sizes = torch.bincount(classes)
    order = torch.argsort(classes, stable=True)
    starts = sizes.cumsum(0) - sizes
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    (able,) = (sizes[classes] > 1).nonzero(as_tuple=True)
    if not len(able):
        raise FitError("no class has two images that could be compared.")
    one = able[torch.randint(len(able), (count,))]
    size, start = sizes[classes[one]], starts[classes[one]]
    # Any of the others of the class: so many places further, around.
    further = 1 + (torch.rand(count, dtype=torch.float64) * (size - 1)).long()
    return one, order[start + (place[one] - start + further) % size]
