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
    """The mean. It is unbiased, so it can be slightly negative if both sets have the same distribution."""
    spread: float
    """The standard deviation over the subsets."""
    size: int
    """Number of samples from each side in a subset."""


def squared_mmd(one: Tensor, other: Tensor, degree: int = 3) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy, in float64.

    The kernel is (x·y / D + 1)^degree.

    Args:
        one: features `[N, D]`, N at least 2.
        other: features `[M, D]`, M at least 2.
        degree: degree of the kernel.
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise UsageError(
            f"features are [N, D] and [M, D], N and M at least 2, not {list(one.shape)} and {list(other.shape)}."
        )
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
        real: features `[N, D]`.
        generated: features `[M, D]`.
        subsets: number of subsets, at least 1.
        size: number of samples from each side in a subset, drawn without replacement. It is limited to half of the
            smaller side, so that subsets differ. The mean does not depend on it, because it is unbiased.
        degree: degree of the kernel.
        rng: random number generator that draws the subsets; by default torch's global one.

    Raises:
        UsageError: a side has fewer than 4 samples, or an argument is out of range.
    """
    least = min(len(real), len(generated))
    if least < 4 or subsets < 1 or size < 2 or degree < 1:
        raise UsageError(
            "the kernel distance needs at least 4 samples of each side, 1 subset of size 2, and degree 1, not "
            f"{least} samples, {subsets} subsets of size {size}, and degree {degree}."
        )
    size = min(size, least // 2)
    found = torch.empty(subsets, dtype=torch.float64)
    for index in range(subsets):
        one, other = (side[torch.randperm(len(side), generator=rng)[:size]] for side in (real, generated))
        found[index] = squared_mmd(one, other, degree)
    return KernelDistance(float(found.mean()), float(found.std(correction=0)), size)
