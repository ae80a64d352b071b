"""The kernel distance between two sets of features: the squared maximum mean discrepancy (Bińkowski et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["KernelDistance", "kernel_distance", "squared_mmd"]


@dataclass(frozen=True)
class KernelDistance:
    """The kernel distance over random subsets."""

    distance: float
    """The mean; unbiased, and so a little below 0 at times where both sets are alike."""
    spread: float
    """The standard deviation over the subsets."""
    size: int
    """How many samples of each side a subset has."""


def squared_mmd(one: Tensor, other: Tensor, degree: int = 3) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy, in float64.

    The kernel is (x·y / D + 1)^degree.

    Args:
        one: `[N, D]`, 2 at least.
        other: `[M, D]`, 2 at least.
        degree: of the kernel.
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise UsageError(f"features are [N, D] and [M, D], 2 at least; not {list(one.shape)} and {list(other.shape)}.")
    one, other = one.double(), other.double()

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** degree

    def within(x: Tensor) -> Tensor:
        found = kernel(x, x)
        return (found.sum() - found.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(within(one) + within(other) - 2 * kernel(one, other).mean())


def kernel_distance(
    real: Tensor,
    generated: Tensor,
    *,
    subsets: int = 100,
    size: int = 1000,
    degree: int = 3,
    rng: torch.Generator | None = None,
) -> KernelDistance:
    """The mean of `squared_mmd` over random subsets of both sides.

    Args:
        real: `[N, D]`.
        generated: `[M, D]`.
        subsets: how many subsets, 1 at least.
        size: samples of each side in a subset, drawn without repetition; half of the smaller side at most, so that
            subsets differ and their spread says something. The mean does not depend on it, as it is unbiased.
        degree: of the kernel.
        rng: what the subsets are drawn with; torch's global one unless given.

    Raises:
        UsageError: a side has fewer than 4 samples, or an argument is out of range.
    """
    least = min(len(real), len(generated))
    if least < 4 or subsets < 1 or size < 2 or degree < 1:
        raise UsageError(
            "a kernel distance needs 4 samples of each side, 1 subset of 2 samples, and degree 1, at least: not "
            f"{least} samples, {subsets} subsets of {size}, and degree {degree}."
        )
    size = min(size, least // 2)
    found = torch.empty(subsets, dtype=torch.float64)
    for index in range(subsets):
        one, other = (side[torch.randperm(len(side), generator=rng)[:size]] for side in (real, generated))
        found[index] = squared_mmd(one, other, degree)
    return KernelDistance(float(found.mean()), float(found.std(correction=0)), size)
