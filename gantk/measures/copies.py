"""Whether generated images are new: their distances to training images, compared with those between training images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.search import Points, Progress, search

__all__ = ["Memorization", "NearestTraining", "memorization", "nearest_training"]

SAME = 1e-5
"""Distances below this fraction of a vector's length are rounding errors of the network that computed the features."""

RARE = 0.01
"""A sample is a near copy if at most this share of new images is so close to a training image."""

BLOCK = 1024
"""Number of points processed at a time."""


@dataclass(frozen=True, eq=False)
class NearestTraining:
    """The nearest training image of each of N images."""

    index: Tensor
    """int64 `[N]`: its index."""
    distance: Tensor
    """float64 `[N]`: its distance."""
    spacing: Tensor
    """float64 `[N]`: the distance from that training image to its nearest other training image."""

    @property
    def copied(self) -> Tensor:
        """bool `[N]`: whether distance ≤ spacing, the criterion of Alaa et al. 2022."""
        return self.distance <= self.spacing

    @property
    def ratio(self) -> Tensor:
        """float64 `[N]`: distance / spacing; 0 for a copy, about 1 for a new image."""
        return torch.where(self.distance == 0, 0.0, self.distance / self.spacing)

    def part(self, which: slice) -> NearestTraining:
        """The result for some of the images."""
        return NearestTraining(self.index[which], self.distance[which], self.spacing[which])


@dataclass(frozen=True, eq=False)
class Memorization:
    """The share of generated images that are copies of training images."""

    memorized: float
    """Share of generated images that are no farther from their nearest training image than it is from its nearest
    other training image."""
    baseline: float
    """The same share for images that were not used in training, as expected without memorization."""
    near_copies: float
    """Share of generated images that are closer to a training image, relative to the spacing of training images there,
    than 99 % of new images: about 0.01 without memorization, and 1 if all are copies."""
    nearest: NearestTraining
    """The nearest training image of each generated image."""


def memorization(
    training: Tensor, generated: Tensor, held_out: Tensor | None = None, rng: torch.Generator | None = None
) -> Memorization:
    """The share of generated images that are copies of training images, and the share expected by chance.

    The search is exact, and its memory does not grow with the number of pairs.

    Args:
        training: features `[N, D]` of at least 3 training images.
        generated: features `[M, D]` of generated images.
        held_out: features `[K, D]` of real images that were not used in training, for the baseline. By default, M
            training images are drawn, and each is compared with all others.
        rng: random number generator that draws these; by default torch's global one.

    Raises:
        UsageError: there are fewer than 3 training images, or no generated or held-out images.
    """
    nearest = nearest_training(generated, training)
    if held_out is None:
        chosen = torch.randperm(len(training), generator=rng)[: len(generated)].sort().values
        new = _nearest(Points.of_tensor(training), training[chosen], chosen)
    else:
        new = nearest_training(held_out, training)
    rare = new.ratio.sort().values[int(RARE * len(new.ratio))]
    return Memorization(
        memorized=share(nearest.copied),
        baseline=share(new.copied),
        near_copies=share((nearest.ratio < rare) | (nearest.ratio == 0)),
        nearest=nearest,
    )


def nearest_training(images: Tensor, training: Tensor) -> NearestTraining:
    """Find the nearest training image of each image, its distance, and its distance to other training images.

    Args:
        images: features `[N, D]` of images that are not in the training set.
        training: features `[M, D]` of at least 3 training images.

    Raises:
        UsageError: there are fewer than 3 training images, or no images.
    """
    if images.ndim != 2 or training.ndim != 2 or images.shape[1] != training.shape[1] or not len(images):
        raise UsageError(
            f"features are [N, D] and [M, D] with N at least 1, not {list(images.shape)} and {list(training.shape)}."
        )
    if len(training) < 3:
        raise UsageError(f"at least 3 training images are needed, but there are {len(training)}.")
    return _nearest(Points.of_tensor(training), images, torch.full((len(images),), -1))


def _nearest(training: Points, points: Tensor, left_out: Tensor) -> NearestTraining:
    """The nearest training image of each point other than the image `left_out` `[N]`; -1 for none."""
    distance, index = search(points, training, 1, left_out[:, None])
    distance = torch.where(distance[:, 0] <= rounding(points), 0.0, distance[:, 0])
    return judged(training, distance, index[:, 0], left_out)


def judged(
    training: Points, distance: Tensor, index: Tensor, left_out: Tensor, progress: Progress | None = None
) -> NearestTraining:
    """Add the distance from each nearest training image to its own nearest other training image.

    Args:
        training: all training images.
        distance: `[N]`, to the nearest training image.
        index: `[N]`, of the nearest training image.
        left_out: `[N]`, the training image to exclude; -1 for none.
        progress: receives the fraction of the search that is done, 0 to 1.
    """
    others = torch.stack([index, left_out], dim=1)
    spacing, _ = search(training.read(index.tolist()), training, 1, others, progress)
    return NearestTraining(index, distance, spacing[:, 0])


def rounding(points: Tensor) -> Tensor:
    """`[N]`: the largest distances that rounding errors can cause; 0 for bytes."""
    if not points.is_floating_point():
        return torch.zeros(len(points), dtype=torch.float64)
    parts = torch.split(points.flatten(1), BLOCK)
    return SAME * torch.cat([part.double().square().sum(1).sqrt() for part in parts])


def share(of: Tensor) -> float:
    """The share of a bool tensor that is true."""
    return float(of.double().mean())
