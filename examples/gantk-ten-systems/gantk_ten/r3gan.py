"""R3GAN: the relativistic pairing game with gradient penalties on real and on generated images."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gantk import Loss, Play, Verdict, require
from gantk.errors import FitError


class R3GAN(Loss):
    """The relativistic pairing game: D minimizes E log(1 + e^(D(G(z)) - D(x))) + γ/2 (R₁ + R₂), G the mirror image.

    R₁ is E ‖∇ D(x)‖² over real images, R₂ the same over generated ones. The discriminator must judge each image by
    itself, so it cannot use batch normalization.

    Args:
        penalty: the factor γ, 0 or more.
        every: the penalties are computed at every so-manieth step of a stage, and weighted by as much (Karras et al.
            2020, arXiv:1912.04958, section 3.1); 1 for always.
        weight: factor of this loss in its players' sums, 0 or more.
    """

    paper = "Huang et al. 2024, arXiv:2501.05441, section 2"
    adversarial = True
    needs = frozenset({"logits", "per-sample"})

    def __init__(self, *, penalty: float = 1.0, every: int = 1, weight: float = 1.0) -> None:
        super().__init__()
        require(0 <= penalty < math.inf, f"penalty must be 0 or more and finite, not {penalty}.")
        require(every >= 1, f"every must be at least 1, not {every}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.penalty = penalty
        self.every = every
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        """E log(1 + e^(D(G(z)) - D(x))) + γ/2 (R₁ + R₂)."""
        game = play.log("game", softplus(_logits(play.fake_verdict) - _logits(play.real_verdict)).mean())
        if not self.penalty or not play.every(self.every):
            return game
        factor = self.every * self.penalty / 2
        r1, r2 = _penalty(play, play.real), _penalty(play, play.fake)
        return game + play.log("r1", r1, factor) + play.log("r2", r2, factor)

    def generator(self, play: Play) -> Tensor:
        """E log(1 + e^(D(x) - D(G(z))))."""
        return softplus(_logits(play.real_verdict) - _logits(play.fake_verdict)).mean()


def _penalty(play: Play, images: Tensor) -> Tensor:
    """E ‖∇ D(x)‖²."""
    at = images.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(_logits(play.judge(at)).sum(), at, create_graph=True)
    return gradient.float().flatten(1).square().sum(dim=1).mean()


def _logits(verdict: Verdict) -> Tensor:
    if verdict.logits is None:
        raise FitError("loss 'mini-r3gan' needs a discriminator that provides logits.")
    return verdict.logits.float()
