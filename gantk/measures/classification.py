"""What a classifier makes of images: how sure it is, which classes it sees, and how many of each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["ClassBalance", "ClassScore", "class_balance", "class_score", "confident_share", "present_classes"]

PRESENT = 0.1
"""The part of its share among real images from which on a class counts as one that is generated."""


@dataclass(frozen=True)
class ClassScore:
    """The Inception Score's formula (Salimans et al. 2016), with any classifier's probabilities."""

    score: float
    """exp(E KL(p(y|x) ‖ p(y))), the mean over the splits: from 1 to the number of classes."""
    spread: float
    """The standard deviation over the splits."""


def class_score(probabilities: Tensor, splits: int = 10, rng: torch.Generator | None = None) -> ClassScore:
    """How sure a classifier is of each image, and how many classes it sees: greater is better.

    Args:
        probabilities: `[N, classes]`.
        splits: random parts of the images, each of which is scored: at least 1, and as many as images at most.
        rng: what the parts are drawn with; torch's global one unless given.
    """
    _check(probabilities)
    if not 1 <= splits <= len(probabilities):
        raise UsageError(f"splits is from 1 to {len(probabilities)} for as many images, not {splits}.")
    shuffled = probabilities[torch.randperm(len(probabilities), generator=rng)].double()
    scores = []
    for part in torch.tensor_split(shuffled, splits):
        # Σ p log p − p log q, where 0 log 0 is 0
        divergence = (torch.xlogy(part, part) - torch.xlogy(part, part.mean(0))).sum(1)
        scores.append(divergence.mean().exp())
    found = torch.stack(scores)
    return ClassScore(float(found.mean()), float(found.std(correction=0)))


def confident_share(probabilities: Tensor, above: float = 0.9) -> float:
    """The share of images that have a class with a probability above some value; probabilities are `[N, classes]`."""
    _check(probabilities)
    return float((probabilities.amax(1) > above).double().mean())


@dataclass(frozen=True)
class ClassBalance:
    """How often each class is generated, beside how often the data has it."""

    present: int
    """Classes that have at least a tenth of the share that they have among real images."""
    present_real: int
    """Classes that there are among real images."""
    commonest: float
    """The share of the class that is generated most often."""
    divergence: float
    """KL(generated ‖ real) of the shares, in nats: 0 where they are the same, and log(classes) where one of as many
    equally frequent ones is all there is. Half an image is added to each class of the real ones."""


def present_classes(generated: Tensor, real: Tensor, classes: int) -> Tensor:
    """bool `[classes]`: which have at least a tenth of the share that they have among real images.

    Args:
        generated: classes of generated images, int64 `[N]`.
        real: those of real images, int64 `[M]`.
        classes: how many there are.
    """
    found, expected = (torch.bincount(side, minlength=classes).double() / len(side) for side in (generated, real))
    return (expected > 0) & (found > 0) & (found >= PRESENT * expected)


def class_balance(generated: Tensor, real: Tensor, classes: int) -> ClassBalance:
    """How often each class is generated, beside how often the data has it.

    Args:
        generated: classes of generated images, int64 `[N]`.
        real: those of real images, int64 `[M]`.
        classes: how many there are.
    """
    for side in (generated, real):
        if not len(side) or int(side.min()) < 0 or int(side.max()) >= classes:
            raise UsageError(f"classes of images are from 0 to {classes - 1}, of one image at least.")
    share = torch.bincount(generated, minlength=classes).double() / len(generated)
    expected = (torch.bincount(real, minlength=classes) + 0.5) / (len(real) + 0.5 * classes)
    return ClassBalance(
        present=int(present_classes(generated, real, classes).sum()),
        present_real=int((torch.bincount(real) > 0).sum()),
        commonest=float(share.max()),
        divergence=float((torch.xlogy(share, share) - torch.xlogy(share, expected.double())).sum()),
    )


def _check(probabilities: Tensor) -> None:
    if probabilities.ndim != 2 or not len(probabilities):
        raise UsageError(f"probabilities are [N, classes], of one image at least, not {list(probabilities.shape)}.")
