"""The k training images that are nearest to generated ones, in a training set that is read a part at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gantk.data import DataSource
from gantk.errors import UsageError
from gantk.measures.copies import SAME, NearestTraining
from gantk.measures.side import Side
from gantk.ops import knn_distances
from gantk.seeds import rng_for

__all__ = ["Points", "TrainingNeighbors", "search", "training_neighbors"]

BLOCK = 2**26
"""Bytes of points that are read at a time."""

CERTAIN = 3.0
"""Standard errors, beyond which the samples' share is larger than that of training images by more than chance."""

Progress = Callable[[float], object]


@dataclass(frozen=True)
class Points:
    """Points of which a part at a time is read.

    Args:
        count: how many there are.
        read: returns those at some indices, `[n, …]`, uint8 or float.
    """

    count: int
    read: Callable[[Sequence[int]], Tensor]

    @classmethod
    def of_images(cls, source: DataSource) -> Points:
        """The pixels of images, uint8, whose distances are exact."""
        return cls(len(source), source.images)

    @classmethod
    def of_features(cls, side: Side) -> Points:
        """The features of images, float32."""
        return cls(len(side), lambda indices: side.features[torch.from_numpy(np.asarray(indices, dtype=np.int64))])

    def blocks(self, size: int) -> Iterator[tuple[int, Tensor]]:
        """Some points after the other, each with the index of the first."""
        for start in range(0, self.count, size):
            yield start, self.read(range(start, min(start + size, self.count)))


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
        return _share(self.samples.copied)

    @property
    def expected(self) -> float:
        """The same share of the training images that are left out."""
        return _share(self.left_out.copied)

    @property
    def equal(self) -> int:
        """How many samples equal a training image."""
        return int((self.samples.distance == 0).sum())

    @property
    def is_memorized(self) -> bool:
        """Whether samples are copied more often than training images are, by more than chance."""
        n, m = len(self.samples.copied), len(self.left_out.copied)
        together = _share(torch.cat([self.samples.copied, self.left_out.copied]))
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
    first = indices[:, 0]
    others = torch.stack([first, themselves], dim=1)
    spacing, _ = search(training.read(first.tolist()), training, 1, others, lambda done: told(0.5 + done / 2))
    found = torch.where(found <= _rounding(queries)[:, None], 0.0, found)
    nearest = [
        NearestTraining(first[part], found[part, 0], spacing[part, 0]) for part in (slice(None, n), slice(n, None))
    ]
    return TrainingNeighbors(found[:n], indices[:n], *nearest)


def _rounding(points: Tensor) -> Tensor:
    """`[N]`: the distances that rounding alone can make; 0 between bytes."""
    if not points.is_floating_point():
        return torch.zeros(len(points), dtype=torch.float64)
    return SAME * points.flatten(1).double().square().sum(1).sqrt()


def _share(of: Tensor) -> float:
    return float(of.double().mean())


def search(
    queries: Tensor, among: Points, k: int, left_out: Tensor | None = None, progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """The k nearest of points that are read a block at a time.

    Args:
        queries: `[N, …]`.
        among: the points to search.
        k: how many of them.
        left_out: `[N, m]` indices of points that are no neighbors of a query; -1 is none.
        progress: told what share is done, 0 to 1.

    Returns:
        distances `[N, k]`, float64, ascending, and indices `[N, k]`, int64; infinity and -1 where there are fewer
        neighbors. Of neighbors equally far, the one with the smaller index comes first.
    """
    left_out = torch.empty(len(queries), 0, dtype=torch.int64) if left_out is None else left_out
    wanted = k + left_out.shape[1]
    size = max(1, BLOCK // (queries[:1].numel() * queries.element_size()))
    distances = torch.full((len(queries), wanted), math.inf, dtype=torch.float64)
    indices = torch.full((len(queries), wanted), -1)
    for start, block in among.blocks(size):
        near, where = knn_distances(queries, min(wanted, len(block)), reference=block, return_indices=True)
        distances, indices = _nearest(
            torch.cat([distances, near], dim=1), torch.cat([indices, where + start], dim=1), wanted
        )
        if progress is not None:
            progress(min(1.0, (start + len(block)) / among.count))
    out = (indices[:, :, None] == left_out[:, None, :]).any(2)
    return _nearest(distances.masked_fill(out, math.inf), indices.masked_fill(out, -1), k)


def _nearest(distances: Tensor, indices: Tensor, k: int) -> tuple[Tensor, Tensor]:
    # Stable, and blocks come in the order of their indices: of points equally far, the first stays the first.
    order = distances.sort(dim=1, stable=True).indices[:, :k]
    return distances.gather(1, order), indices.gather(1, order)
