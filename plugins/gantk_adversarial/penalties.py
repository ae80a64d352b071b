"""Gradient penalties, which join any game whose discriminator judges each image independently."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantk import Play, require
from gantk.nn import wide
from gantk_adversarial.shared import Lazy, gradients, require_factor

__all__ = ["Dragan", "FakePenalty", "RealPenalty"]


class _ZeroCentered(Lazy):
    needs = frozenset({"logits", "per-sample"})

    def __init__(self, *, gamma: float = 10.0, every: int = 1, weight: float = 1.0) -> None:
        super().__init__(every=every, weight=weight)
        self.gamma = require_factor("gamma", gamma)

    def _penalty(self, play: Play, images: Tensor) -> Tensor:
        squared = gradients(play, images).square().sum(dim=1).mean()
        return play.log("squared_norm", squared, self.every * self.gamma / 2)


class RealPenalty(_ZeroCentered):
    """R1: γ/2 E ‖∇ D(x)‖₂² over real images, added to the discriminator's objective (Mescheder et al. 2018, eq. 9).

    It makes the training converge near the solution. The discriminator must judge each image independently, so it
    cannot use batch normalization. For γ that falls during training, set the player's `weight_schedule`.

    Args:
        gamma: the factor γ, 0 or more; what is best depends on the size of the images, and so on the data.
        every: steps from one computation to the next, at least 1; its weight is multiplied by as much. It saves time
            (lazy regularization, Karras et al. 2020, arXiv:1912.04958, section 3.1).
        weight: factor of this loss in the discriminator's objective, 0 or more.
    """

    paper = "Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406"

    def discriminator(self, play: Play) -> Tensor | None:
        """γ/2 E ‖∇ D(x)‖²."""
        return self._penalty(play, play.real) if self._due(play) else None


class FakePenalty(_ZeroCentered):
    """R2: γ/2 E ‖∇ D(G(z))‖₂² over generated images, added to the discriminator's objective (Mescheder et al. 2018).

    The discriminator must judge each image independently, so it cannot use batch normalization.

    Args:
        gamma: the factor γ, 0 or more.
        every: steps from one computation to the next, at least 1; its weight is multiplied by as much.
        weight: factor of this loss in the discriminator's objective, 0 or more.
    """

    paper = "Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406, eq. 10"

    def discriminator(self, play: Play) -> Tensor | None:
        """γ/2 E ‖∇ D(G(z))‖²."""
        return self._penalty(play, play.fake) if self._due(play) else None


class Dragan(Lazy):
    """DRAGAN: λ E (‖∇ D(x + δ)‖₂ - k)² around the real images, added to the discriminator's objective.

    δ is Gaussian noise in each pixel. The paper leaves its size open; here its standard deviation is `noise` times
    that of the batch's pixels. The discriminator must judge each image independently, so it cannot use batch
    normalization.

    Args:
        penalty: the factor λ, 0 or more.
        target: the norm k that gradients are drawn to, 0 or more.
        noise: standard deviation of δ, relative to that of the pixels of the batch; 0 or more.
        every: steps from one computation to the next, at least 1; its weight is multiplied by as much.
        weight: factor of this loss in the discriminator's objective, 0 or more.
    """

    paper = "Kodali et al. 2017, arXiv:1705.07215"
    needs = frozenset({"logits", "per-sample"})

    def __init__(
        self, *, penalty: float = 10.0, target: float = 1.0, noise: float = 0.5, every: int = 1, weight: float = 1.0
    ) -> None:
        super().__init__(every=every, weight=weight)
        require(0 <= target < math.inf, f"target must be 0 or more and finite, not {target}.")
        self.penalty = require_factor("penalty", penalty)
        self.target = target
        self.noise = require_factor("noise", noise)

    def discriminator(self, play: Play) -> Tensor | None:
        """λ E (‖∇ D(x + δ)‖ - k)²."""
        if not self._due(play):
            return None
        real = play.real.detach()
        spread = wide(real).std(correction=0).to(real.dtype)
        norms = torch.linalg.vector_norm(gradients(play, real + self.noise * spread * torch.randn_like(real)), dim=1)
        return play.log("penalty", (norms - self.target).square().mean(), self.every * self.penalty)
