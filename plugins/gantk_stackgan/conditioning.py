"""Conditioning augmentation: what a generator reads in place of its condition."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from gantk.errors import FitError

__all__ = ["Inputs", "divergence_from_normal"]


class Inputs(nn.Module):
    """What a network reads of its noise: z and c, where c is drawn around the condition.

    The noise `[N, noise_dim]` is z, then ε, then the condition φ. Conditioning augmentation (Zhang et al. 2017, section
    3.2) maps φ to a Gaussian, from which c = μ(φ) + σ(φ) · ε; for standard normal noise, c is a draw from it. Without a
    condition, all of the noise is z, and c is z.

    Args:
        noise_dim: length of the noise, including the condition.
        condition_dim: length of the condition; 0 for none.
        augmented: length of c; 0 for half of the noise without the condition.

    Raises:
        FitError: the noise is too short.
    """

    def __init__(self, noise_dim: int, condition_dim: int, augmented: int) -> None:
        super().__init__()
        self.width = noise_dim - condition_dim
        """Length of z and c together, or of z without a condition."""
        self.joined = (augmented or self.width // 2) if condition_dim else self.width
        """Length of c."""
        if condition_dim and not 0 < self.joined < self.width:
            raise FitError(
                f"the last {max(1, self.joined)} numbers of the noise draw the augmented condition, and this noise has "
                f"{self.width}",
                f"use --set generator.augmented={max(1, self.width // 2)}"
                if self.width > 1
                else "use --noise gaussian",
                "use longer noise",
            )
        self.condition_dim = condition_dim
        self.gaussian = nn.Linear(condition_dim, 2 * self.joined) if condition_dim else None

    def reset(self) -> None:
        """Draw the layer's weights as PyTorch does: with 0.02, ε would hide a one-hot condition for long."""
        if self.gaussian is not None:
            self.gaussian.reset_parameters()

    def forward(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """`[N, width]`, z and c together, and `[N, joined]`, c."""
        if self.gaussian is None:
            return noise, noise
        z, epsilon, condition = torch.split(noise, [self.width - self.joined, self.joined, self.condition_dim], dim=1)
        mean, log_variance = self._gaussian(condition)
        c = mean + (0.5 * log_variance).exp() * epsilon
        return torch.cat([z, c], dim=1), c

    def divergence(self, condition: Tensor) -> Tensor:
        """KL(N(μ(φ), σ²(φ)) ‖ N(0, I)), the mean over conditions and dimensions; 0 without a condition."""
        if self.gaussian is None:
            return condition.new_zeros(())
        return divergence_from_normal(*self._gaussian(condition))

    def _gaussian(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = cast(Tensor, cast(Any, self.gaussian)(condition)).chunk(2, dim=1)
        return mean, log_variance


def divergence_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, I)), the mean over images and dimensions."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()
