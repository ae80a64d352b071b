"""DeLiGAN: noise from a mixture of Gaussians whose means and widths are learned with the generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gantk import NoiseSource, Play, require


class Mixture(NoiseSource):
    """A mixture of Gaussians, z = μᵢ + σᵢ ε with a random i; the generator's player moves every μ and σ.

    It adds weight · E (1 - σ)² to what the generator minimizes, which keeps the σ from shrinking to 0.

    Args:
        dim: length of one noise vector, at least 1.
        components: how many Gaussians, at least 1.
        weight: factor of the term on σ, 0 or more.
    """

    paper = "Gurumurthy, Sarvadevabhatla & Babu 2017, arXiv:1706.02071, equations 4 and 7"
    learned = ("",)

    def __init__(self, dim: int = 100, *, components: int = 50, weight: float = 0.1) -> None:
        super().__init__()
        require(dim >= 1, f"dim must be at least 1, not {dim}.")
        require(components >= 1, f"components must be at least 1, not {components}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.dim = dim
        self.weight = weight
        self.means = nn.Parameter(2 * torch.rand(components, dim) - 1)
        self.deviations = nn.Parameter(torch.full((components, dim), 0.2))

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        chosen = (self.draw_uniform(n, rng=rng) * len(self.means)).long()
        epsilon = self.draw_normal(n, self.dim, rng=rng)
        return self.means[chosen] + self.deviations[chosen] * epsilon

    def generator(self, play: Play) -> Tensor:
        """E (1 - σ)², over components and dimensions."""
        return (1 - self.deviations).square().mean()
