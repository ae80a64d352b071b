"""The training images that are nearest to generated ones, and whether those are nearer than new images would be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gantk.data import DataSource
from gantk.errors import UsageError
from gantk.measures.side import Side
from gantk.ops import knn_distances
from gantk.seeds import rng_for

__all__ = ["Nearest", "Points", "nearest_training", "search"]

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
class Nearest:
    """The nearest training images of samples.

    A sample is *closer* if it is nearer to its nearest training image than that image is to any other training image,
    or equal to it. New images of the same kind are closer now and then; how often is told by training images that are
    taken out of the training set, one at a time, and looked at in the same way.
    """

    distances: Tensor
    """`[N, k]` float64, ascending: Euclidean."""
    indices: Tensor
    """`[N, k]` int64: which training images these are."""
    closer: Tensor
    """`[N]` bool."""
    training_closer: Tensor
    """`[M]` bool: the same for M training images."""

    @property
    def copies(self) -> int:
        """How many samples equal a training image."""
        return int((self.distances[:, 0] == 0).sum())

    @property
    def share(self) -> float:
        """The share of samples that are closer."""
        return float(self.closer.double().mean())

    @property
    def expected(self) -> float:
        """The share of training images that are."""
        return float(self.training_closer.double().mean())

    @property
    def is_memorized(self) -> bool:
        """Whether samples are closer more often than training images are, by more than chance."""
        n, m = len(self.closer), len(self.training_closer)
        together = float(torch.cat([self.closer, self.training_closer]).double().mean())
        error = math.sqrt(together * (1 - together) * (1 / n + 1 / m))
        return self.share - self.expected > CERTAIN * error


def nearest_training(
    samples: Tensor, training: Points, k: int = 5, seed: int = 0, progress: Progress | None = None
) -> Nearest:
    """Find the k nearest training images of each sample, and how often samples are closer than new images would be.

    Args:
        samples: `[N, …]`, of the type and shape of the training points.
        training: read twice, a block at a time.
        k: from 1 to the number of training points.
        seed: which N training points are compared with the others.
        progress: told what share is done, 0 to 1.

    Raises:
        UsageError: there are fewer than k training points, or fewer than 3, or they are of another shape or type.
    """
    if training.count < max(k, 3):
        raise UsageError(f"there are {training.count} training images; {max(k, 3)} are needed.")
    told = progress or (lambda done: None)
    n = len(samples)
    compared = torch.randperm(training.count, generator=rng_for(seed, "compared"))[:n].sort().values
    queries = torch.cat([samples, training.read(compared.tolist())])
    themselves = torch.cat([torch.full((n,), -1), compared])
    found, indices = search(queries, training, k, themselves[:, None], lambda done: told(done / 2))
    first = indices[:, 0]
    left_out = torch.stack([first, themselves], dim=1)
    own, _ = search(training.read(first.tolist()), training, 1, left_out, lambda done: told(0.5 + done / 2))
    closer = (found[:, 0] < own[:, 0]) | (found[:, 0] == 0)
    return Nearest(found[:n], indices[:n], closer[:n], closer[n:])


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
