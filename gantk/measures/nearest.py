"""The k training images that are nearest to generated ones, in a training set that is read a part at a time."""

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
"""Standard errors, beyond which the samples' share is larger than that of training images by more than chance."""


@dataclass(frozen=True)
class TrainingNeighbors:
    """The nearest training images of N samples, and of training images that are left out of the training set in turn.

    What is said of the latter is what a model has that copies nothing.
    """

    distances: Tensor
    """`[N, k]` float64, ascending: Euclidean."""
    indices: Tensor
    """`[N, k]` int64: which training images these are."""
    samples: NearestTraining
    """The nearest of each sample."""
    left_out: NearestTraining
    """The nearest of each of the training images that are left out."""

    @property
    def copied(self) -> float:
        """The share of samples no farther from their nearest training image than that is from its nearest other."""
        return share(self.samples.copied)

    @property
    def expected(self) -> float:
        """The same share of the training images that are left out."""
        return share(self.left_out.copied)

    @property
    def equal(self) -> int:
        """How many samples equal a training image."""
        return int((self.samples.distance == 0).sum())

    @property
    def is_memorized(self) -> bool:
        """Whether samples are copied more often than training images are, by more than chance."""
        n, m = len(self.samples.copied), len(self.left_out.copied)
        together = share(torch.cat([self.samples.copied, self.left_out.copied]))
        error = math.sqrt(together * (1 - together) * (1 / n + 1 / m))
        return self.copied - self.expected > CERTAIN * error


def training_neighbors(
    samples: Tensor, training: Points, k: int = 5, seed: int = 0, progress: Progress | None = None
) -> TrainingNeighbors:
    """Find the k nearest training images of each sample, and how near new images would be.

    Args:
        samples: `[N, …]`, of the type and shape of the training points.
        training: read twice, a block at a time.
        k: from 1 to the number of training points.
        seed: which training points are left out, N of them or all.
        progress: told what share is done, 0 to 1.

    Raises:
        UsageError: there are fewer than k training points, or fewer than 3, or they are of another shape or type.
    """
    if training.count < max(k, 3):
        raise UsageError(f"there are {training.count} training images; {max(k, 3)} are needed.")
    told = progress or (lambda done: None)
    n = len(samples)
    chosen = torch.randperm(training.count, generator=rng_for(seed, "left out"))[:n].sort().values
    queries = torch.cat([samples, training.read(chosen.tolist())])
    themselves = torch.cat([torch.full((n,), -1), chosen])
    found, indices = search(queries, training, k, themselves[:, None], lambda done: told(done / 2))
    found = torch.where(found <= rounding(queries)[:, None], 0.0, found)
    nearest = judged(training, found[:, 0], indices[:, 0], themselves, lambda done: told(0.5 + done / 2))
    return TrainingNeighbors(found[:n], indices[:n], nearest.part(slice(None, n)), nearest.part(slice(n, None)))
