"""The adversarial autoencoder: its encoder plays a game on codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from gantk import Binding, Generator, Player, Stage, Step, Terms, require
from gantk.model import Model
from gantk.parts import ImageShape
from gantk.recipe import Recipe
from gantk_aae.codes import Reconstruction, as_images, code_shape, halves, placed, seen

__all__ = ["AdversarialAutoencoder"]

CODES = Binding(real="prior", fake="code")


class AdversarialAutoencoder(Recipe):
    """Fit an autoencoder while its encoder plays a game on codes: a discriminator tells them from the prior, the noise.

    It works with any generator that has an encoder and a decoder, any noise, and any adversarial loss. With
    `--condition class`, the decoder and the discriminator are told the class (section 4); with generator
    `class-mixture`, the discriminator alone, and the prior has a component per class (section 2.3).

    Args:
        image_noise: standard deviation of Gaussian noise on the images that the encoder sees in training, whose pixels
            are in [-1, 1]; 0 for none.
    """

    paper = "Makhzani et al. 2016, arXiv:1511.05644, sections 2 and 4"
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian:dim=8",
        "generator": "aae",
        "discriminator": "gan:widths=[1000,1000]",
        "loss": ["nonsaturating"],
    }

    def __init__(self, *, image_noise: float = 0.0) -> None:
        require(0 <= image_noise < math.inf, f"image_noise must be 0 or more and finite, not {image_noise}.")
        self.image_noise = image_noise

    def judged_shape(self, generator: Generator) -> ImageShape:
        """Shape of a code."""
        return code_shape(generator)

    def judged(self, model: Model, images: Tensor) -> Tensor:
        """The codes of the images."""
        codes = placed(model.generator, model.generator.encode(images).mean)
        return as_images(codes[:, : model.noise.dim])

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `fit`: the autoencoder's turn, the code discriminator's, then the encoder's."""
        encoder, decoder = halves(model.generator)
        players = [
            Player("autoencoder", (encoder, decoder), Reconstruction()),
            Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator", CODES)),
            Player("encoder", (encoder,), Terms(model.losses, "generator", CODES), role="generator"),
        ]
        values = {"seen": seen(self.image_noise), "encoded": _encoded, **_values(model)}
        return [Stage("fit", players, batch_size=100, adversarial=True, values=values)]


def _encoded(step: Step) -> Tensor:
    return step.use("generator", Generator).encode(step["seen"]).sample()


def _values(model: Model) -> dict[str, Any]:
    dim = model.noise.dim
    told = model.condition is not None and not hasattr(model.generator, "place")

    def compared(name: str, step: Step) -> Tensor:
        return as_images(placed(model.generator, step[name])[:, :dim])

    def latent(step: Step) -> Tensor:
        """What is decoded: the code and, if the decoder is told the condition, the condition."""
        code: Tensor = step["encoded"]
        return torch.cat([code[:, :dim], step["condition"].to(code.dtype)], dim=1) if told else code

    return {
        "prior": lambda step: compared("noise", step),
        "code": lambda step: compared("encoded", step),
        "latent": latent,
    }
