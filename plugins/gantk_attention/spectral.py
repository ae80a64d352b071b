"""Spectral normalization of any discriminator, and orthogonal regularization of any generator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gantk import Discriminator, Loss, Play, Verdict, require
from gantk.construct import nested, offers_of
from gantk.parts import ImageShape
from gantk_attention.blocks import normalized

__all__ = ["OrthogonalRegularization", "SpectralDiscriminator"]


class SpectralDiscriminator(Discriminator):
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
        super().__init__()
        context = {"noise_dim": noise_dim, "condition_dim": condition_dim, "class_count": class_count}
        self.within: Discriminator = nested("discriminator", of, image_shape=image_shape, **context)  # type: ignore[arg-type]
        normalized(self.within)
        self.provides = self.within.provides
        self.offers: Mapping[str, Mapping[str, Any]] = offers_of("of", of, self.within)
        self.reads_condition = self.within.reads_condition

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images and, if the discriminator within reads them, their conditions."""
        verdict: Verdict = self.within(images, *conditions)
        return verdict

    @property
    def growth(self) -> Any:
        """That of the discriminator within, if it grows: recipes that grow networks read it."""
        return self.within.growth


class OrthogonalRegularization(Loss):
    """BigGAN's regularization: the generator minimizes the squared products of different rows of its weights.

    For every weight W with more than one dimension, as a matrix with a row for each output, it is the sum of squares of
    W Wᵀ off the diagonal. It makes a generator amenable to truncation (`gantk sample --truncation`).

    Args:
        weight: factor of this loss in the generator's sum, 0 or more.
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
