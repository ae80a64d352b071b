"""A game whose objectives a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gantk import Loss, Model, Play, Player, Stage, Terms
from gantk.recipe import Recipe
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_classic.losses import NonSaturating
from gantk_classic.noise import Gaussian

SHAPE = (1, 4, 3)


class Bright(Loss):
    """How bright images are; it wants two turns."""

    settings = {"generator": {"repeats": 2}}  # noqa: RUF012

    def generator(self, play: Play) -> Tensor:
        return play.fake.mean()


def assembled(**losses: Loss) -> Model:
    """A model of toys with a non-saturating game and these losses."""
    torch.manual_seed(0)
    judge = ToyDiscriminator(frozenset({"logits"}), SHAPE, 5)
    return Model(Gaussian(5), ToyGenerator(SHAPE, 5), judge, losses={"game": NonSaturating(), **losses})


class Played(Recipe):
    """A game whose generator's objective is made by a function of the model's losses."""

    def __init__(self, make: Callable[[Model], Any]) -> None:
        self.make = make

    def stages(self, model: Model) -> list[Stage]:
        players = [
            Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator")),
            Player("generator", ("generator",), self.make(model)),
        ]
        return [Stage("game", players)]
