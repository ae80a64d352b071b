"""Noise on the unit sphere."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk import NoiseSource, require
from gantk.nn import on_sphere

__all__ = ["Sphere"]


class Sphere(NoiseSource):
    """Uniform noise on the unit sphere: standard normal vectors, each divided by its length.

    Args:
        dim: dimension of the noise, at least 2.
    """

    paper = "Ulyanov, Vedaldi & Lempitsky 2018, arXiv:1704.02304"
    distribution = "sphere"

    def __init__(self, dim: int = 128) -> None:
        super().__init__()
        require(dim >= 2, f"dim must be at least 2, not {dim}.")
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return on_sphere(self.draw_normal(n, self.dim, rng=rng))
