"""Whether generated images are new: how near they lie to training images, beside how near these lie to each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.search import Points, Progress, search

__all__ = ["Memorization", "NearestTraining", "memorization", "nearest_training"]

SAME = 1e-5
"""The part of a vector's length below which a distance is rounding of the network that computed the features."""

RARE = 0.01
"""The share of new images that lie so near to a training image that a sample which does is called a near copy."""

BLOCK = 1024
"""Points that are looked at together."""


@dataclass(frozen=True, eq=False)
class NearestTraining:
    """The training image that is nearest to each of N images."""

    index: Tensor
    """int64 `[N]`: which one."""
    distance: Tensor
    """float64 `[N]`: how far it is."""
    spacing: Tensor
    """float64 `[N]`: how far that training image is from its own nearest other one."""

    @property
    def copied(self) -> Tensor:
        """bool `[N]`: no farther from its training image than that is from its nearest other one (Alaa et al. 2022)."""
        return self.distance <= self.spacing

    @property
    def ratio(self) -> Tensor:
        """float64 `[N]`: distance / spacing; 0 for a copy, about 1 for a new image."""
        return torch.where(self.distance == 0, 0.0, self.distance / self.spacing)

    def part(self, which: slice) -> NearestTraining:
        """Those of some of the images."""
        return NearestTraining(self.index[which], self.distance[which], self.spacing[which])


@dataclass(frozen=True, eq=False)
class Memorization:
    """How many generated images are copies of training images."""

    memorized: float
    """The share that lies no farther from its nearest training image than that from its nearest other one."""
    baseline: float
    """The same share of images that nobody trained on: what a generator that copies nothing has."""
    near_copies: float
    """The share that lies, for the spacing of training images there, nearer than all but 1 % of new images do: about
    0.01 where nothing is copied, 1 where everything is."""
    nearest: NearestTraining
    """The training image that is nearest to each generated one."""


def memorization(
    training: Tensor, generated: Tensor, held_out: Tensor | None = None, rng: torch.Generator | None = None
) -> Memorization:
    """How many of generated images are copies of training images, beside what is to be expected.

    The search is exact, in memory that does not grow with the number of pairs.

    Args:
        training: features `[N, D]` of the images that the model was trained on, 3 at least.
        generated: `[M, D]`.
        held_out: `[K, D]`, of real images that nobody trained on, for the baseline. Without them as many training
            images as there are generated ones are drawn, and each is compared with the others.
        rng: what these are drawn with; torch's global one unless given.

    Raises:
        UsageError: there are fewer than 3 training images, or no others.
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
    """The training image that is nearest to each image, how far it is, and how far that is from the next other.

    Args:
        images: features `[N, D]`, none of them from the training set.
        training: `[M, D]`, 3 at least.

    Raises:
        UsageError: there are fewer than 3 training images, or no others.
    """
    if images.ndim != 2 or training.ndim != 2 or images.shape[1] != training.shape[1] or not len(images):
        raise UsageError(
            f"features are [N, D] and [M, D], of one image at least; not {list(images.shape)} and "
            f"{list(training.shape)}."
        )
    if len(training) < 3:
        raise UsageError(f"3 training images are needed, for the distances among them; these are {len(training)}.")
    return _nearest(Points.of_tensor(training), images, torch.full((len(images),), -1))


def _nearest(training: Points, points: Tensor, left_out: Tensor) -> NearestTraining:
    """Of each point, with the training image `left_out` `[N]` taken out of the training set; -1 takes out none."""
    distance, index = search(points, training, 1, left_out[:, None])
    distance = torch.where(distance[:, 0] <= rounding(points), 0.0, distance[:, 0])
    return judged(training, distance, index[:, 0], left_out)


def judged(
    training: Points, distance: Tensor, index: Tensor, left_out: Tensor, progress: Progress | None = None
) -> NearestTraining:
    """Beside the distance to the nearest training image, how far that one is from its own nearest other one.

    Args:
        training: all training images.
        distance, index: `[N]`, of the nearest one.
        left_out: `[N]`: the training image that is taken out of the training set; -1 for none.
        progress: told what share is done, 0 to 1.
    """
    others = torch.stack([index, left_out], dim=1)
    spacing, _ = search(training.read(index.tolist()), training, 1, others, progress)
    return NearestTraining(index, distance, spacing[:, 0])


def rounding(points: Tensor) -> Tensor:
    """`[N]`: the distances that rounding alone can make; 0 between bytes."""
    if not points.is_floating_point():
        return torch.zeros(len(points), dtype=torch.float64)
    parts = torch.split(points.flatten(1), BLOCK)
    return SAME * torch.cat([part.double().square().sum(1).sqrt() for part in parts])


def share(of: Tensor) -> float:
    """The share of a bool tensor that is true."""
    return float(of.double().mean())
