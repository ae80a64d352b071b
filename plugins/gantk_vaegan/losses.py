"""Learned similarity: images are compared by what a discriminator sees of them."""

from __future__ import annotations

import math

from torch import Tensor

from gantk import Loss, Play, require
from gantk.nn import hidden_map, wide

__all__ = ["LearnedSimilarity"]


class LearnedSimilarity(Loss):
    """½‖D_l(x) - D_l(x̃)‖², -log p(D_l(x)|z) of a Gaussian of variance 1 around the reconstruction x̃ of x.

    D_l is a hidden map of the discriminator. The squares are summed over the map and averaged over the batch. The
    encoder minimizes this, and the generator γ times this; x̃ is what the game shows as generated.

    Args:
        layer: which hidden map D_l is; 0 is the first, -1 the deepest.
        gamma: factor γ in the generator's objective, 0 or more.
        weight: factor of this loss in its players' objectives, 0 or more.
    """

    paper = "Larsen et al. 2016, arXiv:1512.09300, equations 7 to 9"
    needs = frozenset({"hidden", "posterior"})
    prior: tuple[str, ...] = ("normal",)

    def __init__(self, *, layer: int = -1, gamma: float = 1e-3, weight: float = 1.0) -> None:
        super().__init__()
        require(0 <= gamma < math.inf, f"gamma must be 0 or more and finite, not {gamma}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.layer = layer
        self.gamma = gamma
        self.weight = weight

    def encoder(self, play: Play) -> Tensor:
        """½‖D_l(x) - D_l(x̃)‖²."""
        return self._dissimilarity(play)

    def generator(self, play: Play) -> Tensor:
        """γ ½‖D_l(x) - D_l(x̃)‖²."""
        return play.log("dissimilarity", self._dissimilarity(play), self.gamma)

    def _dissimilarity(self, play: Play) -> Tensor:
        real, again = (wide(hidden_map(each, self.layer)) for each in (play.real_verdict, play.fake_verdict))
        return 0.5 * (real.detach() - again).square().flatten(1).sum(dim=1).mean()
