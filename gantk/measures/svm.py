"""A linear classifier of features: the L2-SVM, one class against the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["LinearSVM", "fit_svm"]

BLOCK = 2**24
"""Coordinates of points that are read at a time."""

STEPS = 200
"""Most steps of L-BFGS; a few dozen are the rule."""

TOLERANCE = 1e-4
"""The gradient at the end, by that at the beginning."""


@dataclass(frozen=True, eq=False)
class LinearSVM:
    """One linear function for each class; a point has the class whose function is the greatest."""

    weight: Tensor
    """float64 `[D, classes]`."""
    bias: Tensor
    """float64 `[classes]`."""

    def scores(self, points: Tensor) -> Tensor:
        """float64 `[N, classes]`, of points `[N, D]`; positive on the class's side."""
        return torch.cat([part.double() @ self.weight + self.bias for _, part in _blocks(points)])

    def accuracy(self, points: Tensor, labels: Tensor) -> float:
        """The share of points `[N, D]` that are given their label, int64 `[N]`."""
        return float((self.scores(points).argmax(1) == labels).double().mean())


def fit_svm(points: Tensor, labels: Tensor, c: float = 1.0) -> LinearSVM:
    """Fit an L2-SVM: for each class, ½‖w‖² + c Σ max(0, 1 − y(wx + b))² is minimized, where y is 1 in it and −1 else.

    Points are read a block at a time. Before, they are moved and scaled so that their mean is 0 and their mean squared
    length is 1, so that c means the same whatever the features are; the functions returned are of the points as given.

    Args:
        points: `[N, D]`.
        labels: int64 `[N]`, from 0.
        c: above 0: how much the errors count beside the norm of w.

    Raises:
        UsageError: there are more or fewer labels than points, fewer than two classes, or c is not positive.
    """
    if points.ndim != 2 or labels.shape != points.shape[:1]:
        raise UsageError(f"points are [N, D] with labels [N], not {list(points.shape)} and {list(labels.shape)}.")
    if bool((labels == labels[:1]).all()):
        raise UsageError("an SVM tells classes from each other: points of two classes at least are needed.")
    if not c > 0:
        raise UsageError(f"c must be above 0, not {c}.")
    classes = int(labels.max()) + 1
    center = sum((part.double().sum(0) for _, part in _blocks(points)), torch.zeros(())) / len(points)
    squared = sum(float((part.double() - center).square().sum()) for _, part in _blocks(points)) / len(points)
    scale = squared**-0.5 if squared > 0 else 1.0

    def loss_and_gradient(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loss, by_weight, by_bias = weight.square().sum() / 2, weight.clone(), torch.zeros_like(bias)
        for start, part in _blocks(points):
            placed = (part.double() - center) * scale
            sign = -torch.ones(len(part), classes, dtype=torch.float64)
            sign[torch.arange(len(part)), labels[start : start + len(part)]] = 1
            short = (1 - sign * (placed @ weight + bias)).clamp_(min=0)
            loss = loss + c * short.square().sum()
            slope = -2 * c * sign * short
            by_weight += placed.T @ slope
            by_bias += slope.sum(0)
        return loss, by_weight, by_bias

    zero = torch.zeros(points.shape[1], classes, dtype=torch.float64), torch.zeros(classes, dtype=torch.float64)
    weight, bias = _minimized(loss_and_gradient, *zero)
    weight = weight * scale
    return LinearSVM(weight, bias - center @ weight)


def _minimized(
    loss_and_gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]], weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    _, *gradients = loss_and_gradient(weight, bias)
    steepest = max(float(each.abs().max()) for each in gradients)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=STEPS,
        tolerance_grad=TOLERANCE * steepest,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        loss, weight.grad, bias.grad = loss_and_gradient(weight, bias)
        return loss

    with torch.no_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight, bias


def _blocks(points: Tensor) -> Iterator[tuple[int, Tensor]]:
    size = max(1, BLOCK // max(1, points.shape[1]))
    return ((start, points[start : start + size]) for start in range(0, len(points), size))
