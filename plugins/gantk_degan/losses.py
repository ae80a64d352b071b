"""DE-GAN's hidden-space loss."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

from gantk import Loss, Play, Verdict, require
from gantk.errors import FitError, OptionError
from gantk.ops import hidden_loss

__all__ = ["HiddenSpace"]


class HiddenSpace(Loss):
    """The hidden-space loss: (1/N) Σ ‖h(xᵢ) - h(G(zᵢ))‖₂, h being an activation map of D (Zhong et al. 2018, eq. 12).

    The pairs are those of the batch, and the norm is over the whole map of one image. In the paper D ascends
    λ₁ L_adv + λ₂ L_hid, so that in D's turn, which minimises, this term is -L_hid.

    Args:
        layer: which of the discriminator's hidden maps is h; 0 is the first, -1 the deepest.
        players: whose objective it joins: both, as in the paper's Algorithm 1, or the generator's alone.
        weight: factor λ₂ of this loss in its players' sums, 0 or more; the paper gives none, see docs/papers/degan.md.
    """

    paper = "Zhong et al. 2018, arXiv:1807.03923"
    needs = frozenset({"hidden"})

    def __init__(
        self, *, layer: int = -1, players: Literal["both", "generator"] = "generator", weight: float = 0.1
    ) -> None:
        super().__init__()
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.layer = layer
        self.joins_discriminator = players == "both"
        self.weight = weight

    def speaks_to(self, role: str) -> bool:
        """With `players=generator`, to the generator alone."""
        return super().speaks_to(role) and (role == "generator" or self.joins_discriminator)

    def discriminator(self, play: Play) -> Tensor | None:
        """-L_hid where both players have it: the discriminator drives the maps apart."""
        if not self.joins_discriminator:
            return None
        return -hidden_loss(self._map(play.real_verdict), self._map(play.fake_verdict))

    def generator(self, play: Play) -> Tensor:
        """L_hid: the generator draws its maps to those of the real images, which are constants to it."""
        return hidden_loss(self._map(play.real_verdict).detach(), self._map(play.fake_verdict))

    def _map(self, verdict: Verdict) -> Tensor:
        maps = verdict.hidden
        if maps is None:
            raise FitError("this discriminator's verdict has no hidden maps; use one that provides 'hidden'.")
        if not -len(maps) <= self.layer < len(maps):
            raise OptionError(
                f"loss 'hidden': layer={self.layer} is out of range; this discriminator has {len(maps)} hidden "
                f"{'map' if len(maps) == 1 else 'maps'}: {-len(maps)} … {len(maps) - 1}."
            )
        return maps[self.layer]
