"""VAE/GAN: an autoencoder whose reconstructions are compared as a discriminator sees them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from gantk import Binding, Generator, Joined, Loss, Play, Player, Posterior, Stage, Step, Terms, Verdict, require
from gantk.errors import FitError
from gantk.model import Model
from gantk.recipe import Recipe


class LearnedSimilarity(Loss):
    """The encoder minimizes KL(q(z|x) ‖ N(0, I)) + ½ ‖D_l(x) - D_l(x̂)‖², G the second term, weighted.

    D_l is a hidden map of the discriminator, and x̂ the reconstruction of x. The squares are averaged over the map, the
    divergence is summed over the code and divided by the number of pixels.

    Args:
        layer: which hidden map D_l is; 0 is the first, -1 the deepest.
        gamma: factor of the second term in G's sum, 0 or more.
        weight: factor of this loss in its players' sums, 0 or more.
    """

    paper = "Larsen et al. 2016, arXiv:1512.09300, equations 5 to 9"
    needs = frozenset({"hidden", "posterior"})

    def __init__(self, *, layer: int = -1, gamma: float = 1.0, weight: float = 1.0) -> None:
        super().__init__()
        require(0 <= gamma < math.inf, f"gamma must be 0 or more and finite, not {gamma}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.layer = layer
        self.gamma = gamma
        self.weight = weight

    def encoder(self, play: Play) -> Tensor:
        """KL(q(z|x) ‖ N(0, I)) per pixel + ½ ‖D_l(x) - D_l(x̂)‖²."""
        mean, log_variance = play.posterior.mean.float(), play.posterior.log_variance.float()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        kl = play.log("kl", divergence / play.real[0].numel())
        return kl + play.log("dissimilarity", self._dissimilarity(play))

    def generator(self, play: Play) -> Tensor:
        """γ ½ ‖D_l(x) - D_l(x̂)‖²."""
        return self.gamma * self._dissimilarity(play)

    def _dissimilarity(self, play: Play) -> Tensor:
        real, again = self._map(play.real_verdict).detach(), self._map(play.judge(play.reconstruction))
        return 0.5 * (real - again).square().mean()

    def _map(self, verdict: Verdict) -> Tensor:
        maps = verdict.hidden or ()
        if not -len(maps) <= self.layer < len(maps):
            raise FitError(
                f"loss 'mini-vaegan' has layer={self.layer}, and this discriminator has {len(maps)} hidden maps."
            )
        return maps[self.layer].float()


class AutoencodingGame(Recipe):
    """A game whose generator is an autoencoder's decoder: D judges what comes of noise and of encoded images alike."""

    paper = "Larsen et al. 2016, arXiv:1512.09300, Algorithm 1"
    optional: ClassVar[tuple[str, ...]] = ("refiner",)

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: the discriminator's turn, the encoder's, then the generator's."""
        if not {"encoder", "decoder"} <= dict(model.generator.named_children()).keys():
            name = type(model.generator).__name__
            raise FitError(f"this recipe moves an encoder and a decoder, and {name} has none", "use --generator vae")
        drawn, again = Binding(), Binding(fake="again")
        adversarial = [(name, loss) for name, loss in model.losses if loss.adversarial]
        judged = {
            "drawn": Terms(model.losses, "discriminator", drawn),
            "again": Terms(adversarial, "discriminator", again),
        }
        fooled = {"drawn": Terms(model.losses, "generator", drawn), "again": Terms(adversarial, "generator", again)}
        players = [
            Player("discriminator", ("discriminator",), Joined(judged)),
            Player("encoder", ("generator.encoder",), Terms(model.losses, "encoder", drawn)),
            Player("generator", ("generator.decoder", "noise?"), Joined(fooled)),
        ]
        values = {"posterior": _posterior, "again": _again}
        return [Stage("game", players, adversarial=True, values=values)]


def _posterior(step: Step) -> tuple[Tensor, Tensor]:
    found = step.use("generator", Generator).encode(step["real"])
    return found.mean, found.log_variance


def _again(step: Step) -> Tensor:
    images: Tensor = step.use("generator.decoder")(Posterior(*step["posterior"]).sample())
    return images
