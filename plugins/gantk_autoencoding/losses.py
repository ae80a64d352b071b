"""The games of discriminators that are autoencoders: BEGAN's equilibrium, and EBGAN's margin."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize, relu

from gantk import Loss, Play, Verdict, require
from gantk.errors import FitError

__all__ = ["BEGAN", "EBGAN", "pulling_away"]


class BEGAN(Loss):
    """The equilibrium game: D minimizes L(x) - k L(G(z)), G minimizes L(G(z)), L being D's reconstruction error.

    After each turn of D, k moves by λ (γ L(x) - L(G(z))) and stays in [0, 1]; each game has a k of its own. The log has
    the measure of convergence L(x) + |γ L(x) - L(G(z))|, which falls as images get better.

    Args:
        gamma: the diversity ratio γ = E L(G(z)) / E L(x) that is kept, in (0, 1]; less gives better images of less
            variety.
        rate: λ, by which k moves, above 0.
        weight: factor of this loss in its players' objectives, 0 or more.
    """

    paper = "Berthelot, Schumm & Metz 2017, arXiv:1703.10717, sections 3.3 and 3.4"
    adversarial = True
    needs = frozenset({"logits", "energy"})
    state: Mapping[str, float] = {"k": 0.0}

    def __init__(self, *, gamma: float = 0.5, rate: float = 1e-3, weight: float = 1.0) -> None:
        super().__init__()
        require(0 < gamma <= 1, f"gamma must be in (0, 1], not {gamma}.")
        require(0 < rate < math.inf, f"rate must be positive and finite, not {rate}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.gamma = gamma
        self.rate = rate
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        """L(x) - k L(G(z))."""
        real, fake = energy(play.real_verdict).mean(), energy(play.fake_verdict).mean()
        with torch.no_grad():
            play.log("convergence", real + (self.gamma * real - fake).abs(), 0.0)
        return play.log("real", real) - play.state["k"] * play.log("fake", fake)

    def generator(self, play: Play) -> Tensor:
        """L(G(z))."""
        return energy(play.fake_verdict).mean()

    def after_discriminator(self, play: Play) -> Mapping[str, Tensor]:
        """k + λ (γ L(x) - L(G(z))), kept in [0, 1]."""
        balance = self.gamma * energy(play.real_verdict).mean() - energy(play.fake_verdict).mean()
        return {"k": (play.state["k"] + self.rate * balance).clamp(0, 1)}


class EBGAN(Loss):
    """The energy-based game: D minimizes E(x) + max(0, m - E(G(z))), G minimizes E(G(z)) + λ f_PT.

    E is D's reconstruction error, the energy. f_PT, the pulling-away term, is the mean squared cosine between the
    embeddings of different generated images, of which it makes an orthogonal set.

    Args:
        margin: m, the energy above which generated images are left alone, above 0.
        pulling: λ, the factor of the pulling-away term, 0 or more.
        weight: factor of this loss in its players' objectives, 0 or more.
    """

    paper = "Zhao, Mathieu & LeCun 2017, arXiv:1609.03126, sections 2.1 and 2.4"
    adversarial = True
    needs = frozenset({"logits", "energy", "hidden"})

    def __init__(self, *, margin: float = 10.0, pulling: float = 0.1, weight: float = 1.0) -> None:
        super().__init__()
        require(0 < margin < math.inf, f"margin must be positive and finite, not {margin}.")
        require(0 <= pulling < math.inf, f"pulling must be 0 or more and finite, not {pulling}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.margin = margin
        self.pulling = pulling
        self.weight = weight
        if not pulling:
            self.needs = frozenset({"logits", "energy"})

    def discriminator(self, play: Play) -> Tensor:
        """E(x) + max(0, m - E(G(z)))."""
        real, fake = energy(play.real_verdict).mean(), relu(self.margin - energy(play.fake_verdict)).mean()
        return play.log("real", real) + play.log("fake", fake)

    def generator(self, play: Play) -> Tensor:
        """E(G(z)) + λ f_PT."""
        objective = play.log("energy", energy(play.fake_verdict).mean())
        if self.pulling:
            embeddings = (play.fake_verdict.hidden or ())[-1]
            objective = objective + play.log("pulling", pulling_away(embeddings), self.pulling)
        return objective


def pulling_away(embeddings: Tensor) -> Tensor:
    """The mean squared cosine between different rows `[N, …]`; 0 for a single row."""
    directions = normalize(embeddings.float().flatten(1), dim=1)
    count = len(directions)
    squares = (directions @ directions.T).square().sum() - directions.square().sum(dim=1).square().sum()
    return squares / max(1, count * (count - 1))


def energy(verdict: Verdict) -> Tensor:
    """The reconstruction error `[N]` of each image."""
    # A GPU would be waited for at each step; build has tried the parts on the CPU.
    if verdict.logits is None or (verdict.logits.device.type == "cpu" and (verdict.logits > 0).any()):
        raise FitError(
            "this loss reads logits as negative reconstruction errors, but this discriminator's are not",
            "use --discriminator autoencoding or ebgan",
        )
    return -verdict.logits.float()
