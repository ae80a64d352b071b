"""Scores of a classifier's output: how confident it is, and how often it predicts each class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["ClassBalance", "ClassScore", "class_balance", "class_score", "confident_share", "present_classes"]

PRESENT = 0.1
"""A class counts as generated if its share is at least this fraction of its share among real images."""


@dataclass(frozen=True)
class ClassScore:
    """The Inception Score's formula (Salimans et al. 2016), with any classifier's probabilities."""

    score: float
    """Mean of exp(E KL(p(y|x) ‖ p(y))) over the splits: from 1 to the number of classes."""
    spread: float
    """Standard deviation over the splits."""


def class_score(probabilities: Tensor, splits: int = 10, rng: torch.Generator | None = None) -> ClassScore:
    """The Inception Score of a classifier's probabilities: higher if they are confident and classes are diverse.

    Args:
        probabilities: `[N, classes]`.
        splits: number of random parts of the images that are scored separately, from 1 to N.
        rng: random number generator that draws the parts; by default torch's global one.
    """
    _check(probabilities)
    if not 1 <= splits <= len(probabilities):
        raise UsageError(f"splits is from 1 to the number of images, {len(probabilities)}, not {splits}.")
    shuffled = probabilities[torch.randperm(len(probabilities), generator=rng)].double()
    scores = []
    for part in torch.tensor_split(shuffled, splits):
        # Σ p log p − p log q, where 0 log 0 is 0
        divergence = (torch.xlogy(part, part) - torch.xlogy(part, part.mean(0))).sum(1)
        scores.append(divergence.mean().exp())
    found = torch.stack(scores)
    return ClassScore(float(found.mean()), float(found.std(correction=0)))


def confident_share(probabilities: Tensor, above: float = 0.9) -> float:
    """The share of images whose most probable class has a probability above a threshold.

    Args:
        probabilities: `[N, classes]`.
        above: the threshold.
    """
    _check(probabilities)
    return float((probabilities.amax(1) > above).double().mean())


@dataclass(frozen=True)
class ClassBalance:
    """Class frequencies of generated images compared with those of real images."""

    present: int
    """Number of classes with at least a tenth of their share among real images."""
    present_real: int
    """Number of classes among real images."""
    commonest: float
    """Share of the most frequent class among generated images."""
    divergence: float
    """KL(generated ‖ real) of the class frequencies, in nats: 0 if they are equal, and log(classes) if only one of
    equally frequent classes is generated. Half an image is added to each class of the real images."""


def present_classes(generated: Tensor, real: Tensor, classes: int) -> Tensor:
    """bool `[classes]`: the classes with at least a tenth of their share among real images.

    Args:
        generated: classes of generated images, int64 `[N]`.
        real: classes of real images, int64 `[M]`.
        classes: number of classes.
    """
    found, expected = (torch.bincount(side, minlength=classes).double() / len(side) for side in (generated, real))
    return (expected > 0) & (found > 0) & (found >= PRESENT * expected)


def class_balance(generated: Tensor, real: Tensor, classes: int) -> ClassBalance:
    """Compare the class frequencies of generated and real images.

    Args:
        generated: classes of generated images, int64 `[N]`.
        real: classes of real images, int64 `[M]`.
        classes: number of classes.
    """
    for side in (generated, real):
        if not len(side) or int(side.min()) < 0 or int(side.max()) >= classes:
            raise UsageError(f"classes are from 0 to {classes - 1}, with at least one image on each side.")
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
        raise UsageError(f"probabilities are [N, classes] with N at least 1, not {list(probabilities.shape)}.")
