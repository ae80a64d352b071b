"""Conditioning augmentation: what a generator reads in place of its condition."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from gantk import Generator, require
from gantk.errors import FitError
from gantk.nn import divergence_from_normal
from gantk.parts import ImageShape

__all__ = ["AugmentedGenerator", "Inputs"]


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
        return divergence_from_normal(*self._gaussian(condition)).mean()

    def _gaussian(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = cast(Tensor, cast(Any, self.gaussian)(condition)).chunk(2, dim=1)
        return mean, log_variance


class AugmentedGenerator(Generator):
    """A generator that reads its condition by augmentation, and minimizes the divergence too if it has a condition.

    Args:
        width, residual, augmented, kl, init_std: options of the generator, which are checked here.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        condition_dim: int,
        *,
        width: int,
        residual: int,
        augmented: int,
        kl: float,
        init_std: float,
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(residual >= 0, f"residual must be 0 or more, not {residual}.")
        require(augmented >= 0, f"augmented must be 0 or more, not {augmented}.")
        require(0 <= kl < math.inf, f"kl must be 0 or more and finite, not {kl}.")
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        self.image_shape = image_shape
        self.condition_dim = condition_dim
        self.weight = kl

    def speaks_to(self, role: str) -> bool:
        return super().speaks_to(role) and self.condition_dim > 0 and self.weight > 0
