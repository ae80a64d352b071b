"""Noise from a mixture of Gaussians whose means and standard deviations are learned with the generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gantk import NoiseSource, Play, require

__all__ = ["Mixture"]

DEVIATION = 0.2
"""σ at first, in every component and dimension."""


class Mixture(NoiseSource):
    """DeLiGAN's noise: a mixture of Gaussians, z = μᵢ + σᵢ ε with a random component i and ε from N(0, I).

    Every μ and σ is learned by the player that generates. It adds weight · E (1 - σ)² to what the generator minimizes,
    which keeps the σ from shrinking to 0. At first μ is uniform in [-1, 1] and σ is 0.2.

    Args:
        dim: dimension of the noise, at least 1.
        components: number of Gaussians, at least 1.
        weight: factor of the term on σ, 0 or more.
    """

    paper = "Gurumurthy, Sarvadevabhatla & Babu 2017, arXiv:1706.02071, section 4"
    learned = ("",)

    def __init__(self, dim: int = 100, *, components: int = 50, weight: float = 0.1) -> None:
        super().__init__()
        require(dim >= 1, f"dim must be at least 1, not {dim}.")
        require(components >= 1, f"components must be at least 1, not {components}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.dim = dim
        self.weight = weight
        self.means = nn.Parameter(2 * torch.rand(components, dim) - 1)
        self.deviations = nn.Parameter(torch.full((components, dim), DEVIATION))

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        chosen = (self.draw_uniform(n, rng=rng) * len(self.means)).long()
        return self.means[chosen] + self.deviations[chosen] * self.draw_normal(n, self.dim, rng=rng)

    def generator(self, play: Play) -> Tensor:
        """E (1 - σ)², over components and dimensions."""
        return (1 - self.deviations).square().mean()
