"""Feature matching."""

from __future__ import annotations

from torch import Tensor

from gantk import Loss, Play, Verdict, require
from gantk.errors import OptionError


class FeatureMatching(Loss):
    """Feature matching: ‖E f(x) - E f(G(z))‖₂², f being a hidden map of D (Salimans et al. 2016, section 3.1).

    It is added to what the generator minimizes; the discriminator's objective stays as it is.

    Args:
        layer: which of the discriminator's hidden maps is f; 0 is the first, -1 the deepest.
        weight: factor of this loss in the generator's sum, 0 or more.
    """

    paper = "Salimans et al. 2016, arXiv:1606.03498, section 3.1"
    needs = frozenset({"hidden"})

    def __init__(self, *, layer: int = -1, weight: float = 1.0) -> None:
        super().__init__()
        require(weight >= 0, f"weight must be 0 or more, not {weight}.")
        self.layer = layer
        self.weight = weight

    def generator(self, play: Play) -> Tensor:
        """The squared distance between the batch means; that of the real images is a constant to the generator."""
        real, fake = self._mean(play.real_verdict).detach(), self._mean(play.fake_verdict)
        return (real - fake).square().sum()

    def _mean(self, verdict: Verdict) -> Tensor:
        maps = verdict.hidden or ()
        if not -len(maps) <= self.layer < len(maps):
            raise OptionError(f"layer={self.layer} is out of range: this discriminator has {len(maps)} hidden maps.")
        return maps[self.layer].float().mean(dim=0)
