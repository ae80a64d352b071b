"""Normalization whose scale and shift are computed from a vector: a class, or a part of the noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Modulation"]

STD = 0.02
"""Standard deviation of the initial weights: scales begin near 1 and shifts near 0 for every vector."""


class Modulation(nn.Module):
    """norm(x) · γ(s) + β(s): a normalization with a scale γ and a shift β for each image, computed from a vector s.

    With a one-hot class as s this is conditional batch normalization (Dumoulin et al. 2017, arXiv:1610.07629); with the
    noise as s and a hidden layer, self-modulation (Chen et al. 2019, arXiv:1810.01365).

    Args:
        norm: a normalization of `[N, channels, …]` without scale and shift of its own.
        channels: of what it normalizes.
        style_dim: length of the vectors.
        hidden: units of a hidden layer with ReLU; 0 for a linear function of the vector.
    """

    def __init__(self, norm: nn.Module, channels: int, style_dim: int, hidden: int = 0) -> None:
        super().__init__()
        self.norm = norm
        read = nn.Linear(hidden or style_dim, 2 * channels)
        self.style = nn.Sequential(nn.Linear(style_dim, hidden), nn.ReLU(), read) if hidden else read
        nn.init.normal_(read.weight, 0.0, STD)
        nn.init.zeros_(read.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`[N, channels, …]` for `[N, channels, …]` and a vector for each, `[N, style_dim]`."""
        scale, shift = self.style(style).unflatten(0, (len(x), *[1] * (x.dim() - 2))).movedim(-1, 1).chunk(2, dim=1)
        modulated: Tensor = torch.addcmul(shift, self.norm(x), 1 + scale)
        return modulated
