"""Noise of a fixed distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk import NoiseSource, require

__all__ = ["Gaussian", "Uniform"]


class Gaussian(NoiseSource):
    """Standard normal noise, N(0, I).

    Args:
        dim: dimension of the noise, at least 1.
    """

    distribution = "normal"

    def __init__(self, dim: int = 100) -> None:
        super().__init__()
        require(dim >= 1, f"dim must be at least 1, not {dim}.")
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng)


class Uniform(NoiseSource):
    """Uniform noise, each number from U(-1, 1).

    Args:
        dim: dimension of the noise, at least 1.
    """

    paper = "Radford, Metz & Chintala 2016, arXiv:1511.06434"
    distribution = "uniform"

    def __init__(self, dim: int = 100) -> None:
        super().__init__()
        require(dim >= 1, f"dim must be at least 1, not {dim}.")
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return 2 * self.draw_uniform(n, self.dim, rng=rng) - 1
