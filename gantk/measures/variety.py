"""The variance of images in pixels: the diversity of Zhong et al. 2018, Definition 3."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["Diversity", "diversity"]

STEP = 2 / 255
"""The difference between two levels of a byte, for images in [-1, 1]."""


@dataclass(frozen=True, eq=False)
class Diversity:
    """E ‖x − E x‖² of the images of each class, for images in [-1, 1]."""

    values: Tensor
    """float64 `[classes]`: unbiased, so it does not depend on the number of images; NaN for fewer than 2 images."""
    counts: Tensor
    """int64 `[classes]`: number of images of each class."""


def diversity(batches: Iterable[Tensor], classes: Tensor | None = None) -> Diversity:
    """E ‖x − E x‖² for the images of each class: the sum of the variances of all pixels.

    Args:
        batches: uint8 `[n, C, H, W]` each.
        classes: int64 `[N]`, the classes of the images of all batches; by default, all images are of one class.

    Raises:
        UsageError: there are no images, or the number of images and classes differs.
    """
    groups = 1 if classes is None else int(classes.max()) + 1
    counts, squares = torch.zeros(2, groups, dtype=torch.int64)
    sums: Tensor | None = None
    done = 0
    for images in batches:
        pixels = images.flatten(1).long()  # integers: nothing is rounded
        which = torch.zeros(len(pixels), dtype=torch.int64)
        if classes is not None:
            which = classes[done : done + len(pixels)]
        done += len(pixels)
        if classes is not None and done > len(classes):
            break
        if sums is None:
            sums = torch.zeros(groups, pixels.shape[1], dtype=torch.int64)
        sums.index_add_(0, which, pixels)
        squares.index_add_(0, which, pixels.square().sum(1))
        counts.index_add_(0, which, torch.ones_like(which))
    if sums is None or (classes is not None and done != len(classes)):
        raise UsageError("at least one image is needed, and one class for each image.")
    within = squares.double() - sums.double().square().sum(1) / counts.clamp_min(1)
    values = torch.where(counts > 1, within / (counts - 1).clamp_min(1), torch.nan)
    return Diversity(values * STEP**2, counts)
