"""A linear classifier of features: the one-vs-rest L2-SVM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["LinearSVM", "fit_svm"]

BLOCK = 2**24
"""Number of coordinates read at a time."""

STEPS = 200
"""Maximum number of steps of L-BFGS, which usually needs a few dozen."""


@dataclass(frozen=True, eq=False)
class LinearSVM:
    """One linear function for each class; the predicted class is the one with the greatest value."""

    weight: Tensor
    """float64 `[D, classes]`."""
    bias: Tensor
    """float64 `[classes]`."""

    def scores(self, points: Tensor) -> Tensor:
        """The values float64 `[N, classes]` for points `[N, D]`; positive values are inside the class."""
        return torch.cat([part.double() @ self.weight + self.bias for _, part in _blocks(points)])

    def accuracy(self, points: Tensor, labels: Tensor) -> float:
        """The share of points `[N, D]` whose predicted class is their label, int64 `[N]`."""
        return float((self.scores(points).argmax(1) == labels).double().mean())


def fit_svm(
    points: Tensor, labels: Tensor, c: float = 1.0, *, start: LinearSVM | None = None, tolerance: float = 1e-4
) -> LinearSVM:
    """Fit an L2-SVM.

    For each class, it minimizes ½‖w‖² + c Σ max(0, 1 − y(wx + b))², where y is 1 for points of the class and −1 for
    others. Points are read in blocks, centered, and scaled to a mean squared length of 1, so that c has the same
    meaning for all features. Products with them are computed in their own precision, at least float32. The result
    applies to the original points.

    Args:
        points: `[N, D]`.
        labels: int64 `[N]`, from 0.
        c: weight of the errors relative to the norm of w, above 0.
        start: where the optimization starts, such as the result for another c; by default, at 0.
        tolerance: greatest coordinate of the final gradient relative to that of the gradient of weights of 0.

    Raises:
        UsageError: the number of labels differs from the number of points, there are fewer than two classes, or c is
            not positive.
    """
    if points.ndim != 2 or labels.shape != points.shape[:1]:
        raise UsageError(f"points are [N, D] and labels [N], not {list(points.shape)} and {list(labels.shape)}.")
    if bool((labels == labels[:1]).all()):
        raise UsageError("an SVM needs points of at least two classes, but all points have the same label.")
    if not c > 0:
        raise UsageError(f"c must be above 0, not {c}.")
    classes = int(labels.max()) + 1
    center = sum((part.double().sum(0) for _, part in _blocks(points)), torch.zeros(())) / len(points)
    center = center.to(torch.promote_types(points.dtype, torch.float32))
    squared = sum(float((part - center).square().sum(dtype=torch.float64)) for _, part in _blocks(points)) / len(points)
    scale = squared**-0.5 if squared > 0 else 1.0

    def loss_and_gradient(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loss, by_weight, by_bias = weight.square().sum() / 2, weight.clone(), torch.zeros_like(bias)
        scaled = (weight * scale).to(center.dtype)
        for first, part in _blocks(points):
            placed = part - center
            own = (torch.arange(len(part)), labels[first : first + len(part)])
            short = 1 + (placed @ scaled).double() + bias
            short[own] = 2 - short[own]
            short.clamp_(min=0)
            loss = loss + c * short.square().sum()
            slope = 2 * c * short
            slope[own] *= -1
            by_weight += scale * (placed.T @ slope.to(placed.dtype)).double()
            by_bias += slope.sum(0)
        return loss, by_weight, by_bias

    weight = torch.zeros(points.shape[1], classes, dtype=torch.float64)
    bias = 2 * torch.bincount(labels, minlength=classes) / len(labels) - 1.0  # the best one without weights
    steepest = float(loss_and_gradient(weight, bias.double())[1].abs().max())
    if start is not None:
        weight, bias = start.weight / scale, start.bias + center.double() @ start.weight
    weight, bias = _minimized(loss_and_gradient, weight, bias.double(), tolerance * steepest)
    weight = weight * scale
    return LinearSVM(weight, bias - center.double() @ weight)


def _minimized(
    loss_and_gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]],
    weight: Tensor,
    bias: Tensor,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=STEPS,
        tolerance_grad=tolerance,
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
