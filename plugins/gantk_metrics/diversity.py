"""The diversity of generated images."""

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
"""Number of pairs of images compared at a time."""


class DiversityOfPixels(Metric):
    """The variance of generated images in pixels: E |x - E x|² with pixels in [-1, 1].

    `diversity` is the variance, and `diversity_relative` its ratio to that of the real images: 1 is best.
    """

    needs = frozenset[str]()
    paper = "Zhong et al. 2018, arXiv 1807.03923, Definition 3"

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        generated, real = (float(diversity(side.images()).values) for side in (comparison.generated, comparison.real))
        figures = {"diversity": generated}
        return {**figures, "diversity_relative": generated / real} if real else figures


class RelativeDiversity(Metric):
    """The variance within each class of generated images, relative to that of real images: 1 is best.

    The variance is E |x - E x|² in pixels, and a classifier determines the classes of generated and real images. `rdd`
    is the mean over all classes with at least a tenth of their share among real images; `rdd_least` and `rdd_most` are
    the minimum and maximum. A class with only one image repeated has 0.
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
            raise FitError(
                "no class has two different generated images and two different real images, so none can be compared."
            )
        return {"rdd": relative.mean().item(), "rdd_least": relative.min().item(), "rdd_most": relative.max().item()}


class MultiScaleSimilarity(Metric):
    """The multi-scale structural similarity of random pairs of generated images; lower is more diverse.

    `ms_ssim` is the mean over pairs of generated images, and `ms_ssim_real` over as many pairs of real images. Images
    below 176 pixels have fewer than five scales: compare values at one image size only.

    Args:
        pairs: number of random pairs of each side, at least 1.
        within_classes: compare images of the same class only; needs a conditional generator.
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

    Each class with at least two images is drawn in proportion to its number of images.
    """
    sizes = torch.bincount(classes)
    order = torch.argsort(classes, stable=True)
    starts = sizes.cumsum(0) - sizes
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    (able,) = (sizes[classes] > 1).nonzero(as_tuple=True)
    if not len(able):
        raise FitError("no class has two images, so none can be compared.")
    one = able[torch.randint(len(able), (count,))]
    size, start = sizes[classes[one]], starts[classes[one]]
    # A random offset among the other images of the class, wrapping around.
    further = 1 + (torch.rand(count, dtype=torch.float64) * (size - 1)).long()
    return one, order[start + (place[one] - start + further) % size]
