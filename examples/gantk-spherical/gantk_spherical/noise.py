"""Noise on a sphere."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from gantk import NoiseSource, require


class Spherical(NoiseSource):
    """Uniform noise on the sphere of radius √dim, near which almost all of N(0, I) lies.

    Args:
        dim: length of one noise vector, at least 2.
    """

    paper = "Karras et al. 2018, arXiv:1710.10196, appendix A.1"

    def __init__(self, dim: int = 100) -> None:
        super().__init__()
        require(dim >= 2, f"dim must be at least 2, not {dim}.")
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return math.sqrt(self.dim) * F.normalize(self.draw_normal(n, self.dim, rng=rng), dim=1)
