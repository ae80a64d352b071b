"""DE-GAN's hidden-space loss."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

from gantk import Loss, Play, require
from gantk.nn import hidden_map
from gantk.ops import hidden_loss

__all__ = ["HiddenSpace"]


class HiddenSpace(Loss):
    """The hidden-space loss: (1/N) Σ ‖h(xᵢ) - h(G(zᵢ))‖₂, h being an activation map of D (Zhong et al. 2018, eq. 12).

    Real and generated images are paired by their index in the batch; the norm is over the whole map of one image. In
    the paper, D maximizes λ₁ L_adv + λ₂ L_hid, so in D's minimized objective this term is -L_hid.

    Args:
        layer: index of the discriminator's hidden map used as h; 0 is the first, -1 the deepest.
        players: add the loss to the objectives of both players, as in the paper's Algorithm 1, or of the generator.
        weight: factor λ₂ of this loss, 0 or more; the paper does not give it, see docs/papers/degan.md.
    """

    paper = "Zhong et al. 2018, arXiv:1807.03923"
    needs = frozenset({"hidden"})

    def __init__(
        self, *, layer: int = -1, players: Literal["both", "generator"] = "generator", weight: float = 0.001
    ) -> None:
        super().__init__()
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.layer = layer
        self.joins_discriminator = players == "both"
        self.weight = weight

    def speaks_to(self, role: str) -> bool:
        """With `players=generator`, only to the generator."""
        return super().speaks_to(role) and (role == "generator" or self.joins_discriminator)

    def discriminator(self, play: Play) -> Tensor | None:
        """-L_hid with `players=both`: the discriminator drives the maps apart."""
        if not self.joins_discriminator:
            return None
        return play.log("distance", hidden_loss(*self._maps(play)), -1)

    def generator(self, play: Play) -> Tensor:
        """L_hid: the generator matches its maps to those of the real images, which are constants."""
        real, fake = self._maps(play)
        return hidden_loss(real.detach(), fake)

    def _maps(self, play: Play) -> tuple[Tensor, Tensor]:
        """h of the real images, and of the generated ones."""
        return hidden_map(play.real_verdict, self.layer), hidden_map(play.fake_verdict, self.layer)
