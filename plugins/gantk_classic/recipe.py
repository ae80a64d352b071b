"""The two schedules that most papers share: a game, and the fit of an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from gantk import Player, Stage, Terms
from gantk.model import Model
from gantk.recipe import Recipe

__all__ = ["Fit", "Game"]


class Game(Recipe):
    """A discriminator and a generator take turns: GAN, DCGAN, WGAN, DE-GAN and most of the others."""

    paper = "Goodfellow et al. 2014, arXiv:1406.2661, Algorithm 1"

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: the discriminator's turn, then the generator's."""
        players = [
            Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator")),
            Player("generator", ("generator",), Terms(model.losses, "generator")),
        ]
        return [Stage("game", players, adversarial=True)]


class Fit(Recipe):
    """An autoencoder is fitted to the images; its decoder is the generator: VAE."""

    paper = "Kingma & Welling 2014, arXiv:1312.6114"
    slots: ClassVar[tuple[str, ...]] = ("noise", "generator")
    optional: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {
        "stages": {"fit": {"autoencoder": {"optimizer": "adam", "lr": 1e-3, "betas": [0.9, 0.999]}}}
    }

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `fit`, with one player: the autoencoder, encoder and decoder together."""
        return [Stage("fit", [Player("autoencoder", ("generator",), Terms(model.losses, "autoencoder"))])]
