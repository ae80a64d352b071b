"""Two readings of DE-GAN's game that no bundled loss implements: the squared norm, and one batch for D."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import gantk
from gantk import Loss, Play, Verdict


@gantk.register("loss", name="degan-reading")
class Reading(Loss):
    """Minimax and, in both players, the hidden-space loss over the deepest map (Zhong et al. 2018, eq. 11 to 13).

    Args:
        weight: the factor λ₂ of the hidden-space loss.
        squared: the square of the norm.
        one_batch: whether D judges real and generated images as one batch, so that it normalizes them together.
    """

    adversarial = True
    needs = frozenset({"logits", "hidden"})

    def __init__(self, *, weight: float = 0.1, squared: bool = False, one_batch: bool = False) -> None:
        super().__init__()
        self.hidden_weight, self.squared, self.one_batch = weight, squared, one_batch

    def discriminator(self, play: Play) -> Tensor:
        real, fake = self._maps_and_logits(play)
        game = nn.functional.softplus(-real[1]).mean() + nn.functional.softplus(fake[1]).mean()
        return game - self.hidden_weight * self._hidden(real[0], fake[0])

    def generator(self, play: Play) -> Tensor:
        real, fake = self._maps_and_logits(play)
        return self.hidden_weight * self._hidden(real[0].detach(), fake[0]) - nn.functional.softplus(fake[1]).mean()

    def _hidden(self, real: Tensor, fake: Tensor) -> Tensor:
        norms = (real - fake).flatten(1).norm(dim=1)
        return (norms.square() if self.squared else norms).mean()

    def _maps_and_logits(self, play: Play) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        if not self.one_batch:
            return _read(play.real_verdict), _read(play.fake_verdict)
        maps, logits = _read(play.judge(torch.cat([play.real, play.fake])))
        count = len(play.real)
        return (maps[:count], logits[:count]), (maps[count:], logits[count:])


def _read(verdict: Verdict) -> tuple[Tensor, Tensor]:
    assert verdict.hidden is not None
    assert verdict.logits is not None
    return verdict.hidden[-1], verdict.logits
