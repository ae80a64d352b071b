"""The k nearest training images of generated images; the training set is read in blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.copies import NearestTraining, judged, rounding, share
from gantk.measures.search import Points, Progress, search
from gantk.seeds import rng_for

__all__ = ["TrainingNeighbors", "training_neighbors"]

CERTAIN = 3.0
"""Number of standard errors above which the difference between two shares is not due to chance."""


@dataclass(frozen=True)
class TrainingNeighbors:
    """The nearest training images of N samples, and of training images that are left out one at a time.

    The latter are the baseline: the values that are expected without memorization.
    """

    distances: Tensor
    """`[N, k]` float64: Euclidean distances in ascending order."""
    indices: Tensor
    """`[N, k]` int64: the indices of these training images."""
    samples: NearestTraining
    """The nearest training image of each sample."""
    left_out: NearestTraining
    """The nearest other training image of each training image that is left out."""

    @property
    def copied(self) -> float:
        """Share of samples that are no farther from their nearest training image than it is from its nearest other "
        "one."""
        return share(self.samples.copied)

    @property
    def expected(self) -> float:
        """The same share of the training images that are left out."""
        return share(self.left_out.copied)

    @property
    def equal(self) -> int:
        """Number of samples that equal a training image."""
        return int((self.samples.distance == 0).sum())

    @property
    def is_memorized(self) -> bool:
        """Whether `copied` exceeds `expected` by more than chance."""
        n, m = len(self.samples.copied), len(self.left_out.copied)
        together = share(torch.cat([self.samples.copied, self.left_out.copied]))
        error = math.sqrt(together * (1 - together) * (1 / n + 1 / m))
        return self.copied - self.expected > CERTAIN * error


def training_neighbors(
    samples: Tensor, training: Points, k: int = 5, seed: int = 0, progress: Progress | None = None
) -> TrainingNeighbors:
    """Find the k nearest training images of each sample, and the distances that are expected for new images.

    Args:
        samples: `[N, …]`, with the shape and dtype of the training points.
        training: the training points, read twice in blocks.
        k: number of nearest training images, from 1 to the number of training points.
        seed: random seed that selects the N training points (or all, if fewer) that are left out.
        progress: receives the fraction that is done, 0 to 1.

    Raises:
        UsageError: there are fewer than k or 3 training points, or their shape or dtype differs.
    """
    if training.count < max(k, 3):
        raise UsageError(f"at least {max(k, 3)} training images are needed, but there are {training.count}.")
    told = progress or (lambda done: None)
    n = len(samples)
    chosen = torch.randperm(training.count, generator=rng_for(seed, "left out"))[:n].sort().values
    queries = torch.cat([samples, training.read(chosen.tolist())])
    themselves = torch.cat([torch.full((n,), -1), chosen])
    found, indices = search(queries, training, k, themselves[:, None], lambda done: told(done / 2))
    found = torch.where(found <= rounding(queries)[:, None], 0.0, found)
    nearest = judged(training, found[:, 0], indices[:, 0], themselves, lambda done: told(0.5 + done / 2))
    return TrainingNeighbors(found[:n], indices[:n], nearest.part(slice(None, n)), nearest.part(slice(n, None)))
