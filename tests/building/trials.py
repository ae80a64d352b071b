"""A model of toys, and the trial of a build on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from gantk import Loss, Model, NoiseSource, Play, Step
from gantk.building.stage_settings import resolve_stages
from gantk.building.trial import try_stages
from gantk.errors import GantkError
from gantk.parts import Discriminator, Generator, ImageShape
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_classic.losses import NonSaturating
from gantk_classic.noise import Gaussian
from gantk_classic.recipe import Game

Build = Callable[..., Model]
SHAPE: ImageShape = (1, 4, 3)


def assembled(
    loss: Loss | None = None,
    *,
    noise: NoiseSource | None = None,
    generator: Generator | None = None,
    discriminator: Discriminator | None = None,
) -> Model:
    """A model of toys, with a loss beside the game's."""
    torch.manual_seed(0)
    losses: dict[str, Loss] = {"game": NonSaturating()}
    if loss is not None:
        losses["mine"] = loss
    judge = discriminator or ToyDiscriminator(frozenset({"logits"}), SHAPE, 5)
    return Model(noise or Gaussian(5), generator or ToyGenerator(SHAPE, 5), judge, losses=losses)


def tried(model: Model, settings: Mapping[str, Any] | None = None, **more: Any) -> None:
    try_stages(model, resolve_stages(model, Game(), {"game": settings or {}}), **more)


def refusal(model: Model, settings: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(GantkError) as caught:
        tried(model, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Of(Loss):
    """A term made of the generated images by a function."""

    def __init__(self, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.make = make

    def generator(self, play: Play) -> Any:
        return self.make(play.fake)


def neighbors(images: Tensor) -> Tensor:
    if len(images) < 6:
        raise ValueError("5 neighbors need 6 images")
    return torch.cdist(images.flatten(1), images.flatten(1)).topk(6, largest=False).values.mean()


class By:
    """An objective that is a function of the step."""

    def __init__(self, term: Callable[[Step], Tensor]) -> None:
        self.term = term

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {"x": self.term(step)}


def shade(step: Step) -> Tensor:
    images: Tensor = step.use("generator")(step["noise"])
    return images.mean()


def sharpness(step: Step) -> Tensor:
    judge = step.use("discriminator")
    weights: Tensor = judge.first.weight.sum() + judge.second.bias.sum()
    return weights
