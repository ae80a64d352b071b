"""Spectral normalization of any discriminator, and orthogonal regularization of any generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantk import Loss, Play, require
from gantk.construct import Around
from gantk.parts import ImageShape
from gantk_attention.blocks import normalized

__all__ = ["OrthogonalRegularization", "SpectralDiscriminator"]


class SpectralDiscriminator(Around):
    """Spectral normalization in any discriminator: the largest singular value of every layer's weights is 1.

    The value is followed by one power iteration for each call in training. Other normalizations of the discriminator
    within stay: `spectral:of='dcgan:norm=none'` has none.

    Args:
        of: the discriminator within, with options.
    """

    paper = "Miyato et al. 2018, arXiv:1802.05957"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        class_count: int,
        *,
        of: str = "gantk:dcgan:norm=none",
    ) -> None:
        context = {"noise_dim": noise_dim, "condition_dim": condition_dim, "class_count": class_count}
        super().__init__(of, (), image_shape=image_shape, **context)
        normalized(self.within)


class OrthogonalRegularization(Loss):
    """BigGAN's regularization: the generator minimizes the squared products of different rows of its weights.

    For every weight W with more than one dimension, as a matrix with a row for each output, it is the sum of squares of
    W Wᵀ off the diagonal. It makes a generator amenable to truncation (`gantk sample --truncation`).

    Args:
        weight: factor of this loss in the generator's objective, 0 or more.
    """

    paper = "Brock, Donahue & Simonyan 2019, arXiv:1809.11096, equation 3"

    def __init__(self, *, weight: float = 1e-4) -> None:
        super().__init__()
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.weight = weight

    def generator(self, play: Play) -> Tensor:
        """Σ ‖W Wᵀ ⊙ (1 - I)‖² over the weights of the generator."""
        matrices = [weight.float().flatten(1) for weight in play.generator.parameters() if weight.dim() > 1]
        products = (matrix @ matrix.T for matrix in matrices)
        return torch.stack([each.square().sum() - each.diagonal().square().sum() for each in products]).sum()
