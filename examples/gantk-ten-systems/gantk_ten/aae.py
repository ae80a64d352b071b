"""The adversarial autoencoder: its game is played on codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from gantk import Binding, Generator, Player, Stage, Step, Terms
from gantk.errors import FitError
from gantk.model import Model
from gantk.nn import evaluating
from gantk.parts import ImageShape
from gantk.recipe import Recipe


class AdversarialAutoencoder(Recipe):
    """An autoencoder is fitted while its encoder plays a game: its codes against the model's noise, which is the prior.

    The encoder is deterministic, its posterior's mean. The discriminator judges codes as images of one pixel.
    """

    paper = "Makhzani et al. 2016, arXiv:1511.05644, section 2"
    optional: ClassVar[tuple[str, ...]] = ()

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `fit`: the autoencoder's turn, the code discriminator's, then the encoder's."""
        _check(model.generator)
        codes = Binding(real="prior", fake="code")
        players = [
            Player("autoencoder", ("generator",), _Reconstruction()),
            Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator", codes)),
            Player("encoder", ("generator.encoder",), Terms(model.losses, "generator", codes), role="generator"),
        ]
        return [Stage("fit", players, values={"prior": _prior, "code": _code})]

    def judged_shape(self, generator: Generator) -> ImageShape:
        _check(generator)
        with evaluating(generator), torch.no_grad():
            code = generator.encode(torch.zeros(1, *generator.image_shape)).mean
        return (code.shape[1], 1, 1)

    def judged(self, model: Model, images: Tensor) -> Tensor:
        return model.generator.encode(images).mean[:, :, None, None]


class _Reconstruction:
    """‖x - G(E(x))‖₁, the mean over pixels."""

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        decoded = step.use("generator", Generator)(step["code"].flatten(1))
        return {"l1": (decoded - step["real"]).abs().mean()}

    def __str__(self) -> str:
        return "l1"


def _prior(step: Step) -> Tensor:
    noise: Tensor = step["noise"]
    return noise[:, :, None, None]


def _code(step: Step) -> Tensor:
    return step.use("generator", Generator).encode(step["real"]).mean[:, :, None, None]


def _check(generator: Generator) -> None:
    if "posterior" not in generator.provides or not hasattr(generator, "encoder"):
        raise FitError(
            f"this recipe fits an autoencoder, and {type(generator).__name__} has no encoder", "use --generator vae"
        )
