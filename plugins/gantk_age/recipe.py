"""AGE's schedule: an encoder and a generator take turns, and there is no discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from gantk import Player, Stage, Step, Terms
from gantk.errors import FitError
from gantk.model import Model
from gantk.recipe import Recipe

__all__ = ["AutoencoderGame"]

HALVES = ("encoder", "decoder")


def decoded(step: Step) -> Tensor:
    """Generated images, made by the decoder alone: constants in the encoder's turn."""
    images: Tensor = step.use("generator.decoder")(step["noise"])
    return images


class AutoencoderGame(Recipe):
    """An encoder and a decoder, which is the generator, take turns against each other: AGE.

    The encoder takes one turn a step and the decoder then takes two, unless settings say otherwise
    (`stages.game.generator.repeats`). It takes a generator with the modules `encoder` and `decoder`: `age`, or `vae`.
    """

    paper = "Ulyanov, Vedaldi & Lempitsky 2018, arXiv:1704.02304"
    slots: ClassVar[tuple[str, ...]] = ("noise", "generator")
    optional: ClassVar[tuple[str, ...]] = ("refiner",)

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: the encoder's turn, then the generator's."""
        missing = [name for name in HALVES if name not in dict(model.generator.named_children())]
        if missing:
            raise FitError(
                f"this recipe moves a generator's encoder and decoder in turn, and {type(model.generator).__name__} "
                f"has no module {' and none '.join(missing)}: use --generator age or vae."
            )
        players = [
            Player("encoder", ("generator.encoder",), Terms(model.losses, "encoder")),
            Player("generator", ("generator.decoder", "noise?"), Terms(model.losses, "generator"), repeats=2),
        ]
        return [Stage("game", players, adversarial=True, values={"fake": decoded})]
