"""The two schedules that most papers share: a game, and the fit of an autoencoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from gantk import Binding, Player, Stage, Step, Terms, require
from gantk.model import Model
from gantk.recipe import Recipe

__all__ = ["Fit", "Game"]


class Game(Recipe):
    """A discriminator and a generator take turns: GAN, DCGAN, WGAN, DE-GAN and most other systems.

    Args:
        image_noise: standard deviation of Gaussian noise that is added to the real images, whose pixels are in [-1, 1];
            0 for none.
    """

    paper = "Goodfellow et al. 2014, arXiv:1406.2661, Algorithm 1"
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "uniform",
        "generator": "dcgan",
        "discriminator": "dcgan",
        "loss": ["nonsaturating"],
    }

    def __init__(self, *, image_noise: float = 0.0) -> None:
        require(0 <= image_noise < math.inf, f"image_noise must be 0 or more and finite, not {image_noise}.")
        self.image_noise = image_noise

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: the discriminator's turn, then the generator's."""
        sees = Binding(real="noisy") if self.image_noise else Binding()
        players = [
            Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator", sees)),
            Player("generator", ("generator", "noise?", "condition?"), Terms(model.losses, "generator", sees)),
        ]
        return [Stage("game", players, adversarial=True, values={"noisy": self._noisy})]

    def _noisy(self, step: Step) -> Tensor:
        real: Tensor = step["real"]
        return real + self.image_noise * torch.randn_like(real)


class Fit(Recipe):
    """Fit an autoencoder to the images; its decoder is the generator: VAE.

    With a condition, the decoder is told that of the image (Kingma et al. 2014, arXiv:1406.5298, section 2.1: M2's
    decoder); the encoder is not told.
    """

    paper = "Kingma & Welling 2014, arXiv:1312.6114"
    slots: ClassVar[tuple[str, ...]] = ("noise", "generator")
    optional: ClassVar[tuple[str, ...]] = ("condition",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian",
        "generator": "vae",
        "loss": ["vae"],
        "stages": {"fit": {"autoencoder": {"optimizer": "adam", "lr": 1e-3, "betas": [0.9, 0.999]}}},
    }

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `fit`, with one player: the autoencoder, encoder and decoder together."""
        return [Stage("fit", [Player("autoencoder", ("generator",), Terms(model.losses, "autoencoder"))])]
