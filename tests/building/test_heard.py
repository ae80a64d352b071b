"""What build finds within objectives: the losses that they hold, by which names, and players that move nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from played import SHAPE, Bright, Played, assembled
from torch import Tensor

from gantk import Joined, Loss, Model, Play, Stage, Step, Terms
from gantk.building.objectives import losses_of, terms_of
from gantk.building.stage_settings import resolve_stages
from gantk.building.trial import try_stages
from gantk.errors import FitError
from gantk.report.summary import _stage
from gantk.schedule import Batch


class Halved:
    """Wraps an objective, and says nothing of it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {name: term / 2 for name, term in self.inner(step).items()}


@dataclass(frozen=True, slots=True)
class Slotted:
    inner: Any

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return self.inner(step)  # type: ignore[no-any-return]


def scaled(inner: Any, step: Step) -> Mapping[str, Tensor]:
    return {name: 3 * term for name, term in inner(step).items()}


def first(inner: Any, others: Any, step: Step) -> Mapping[str, Tensor]:
    return inner(step)  # type: ignore[no-any-return]


def closed_over(terms: Any) -> Any:
    def objective(step: Step) -> Mapping[str, Tensor]:
        return terms(step)  # type: ignore[no-any-return]

    return objective


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "attribute": Halved,
    "slot": Slotted,
    "twice": lambda terms: Halved(Halved(terms)),
    "container": lambda terms: Halved({"all": [terms]}["all"][0]),
    "partial": lambda terms: functools.partial(scaled, terms),
    "closure": closed_over,
    "lambda": lambda terms: lambda step: terms(step),
    "method": lambda terms: Halved(terms).__call__,
    "joined": lambda terms: Joined({"a": Halved(terms)}),
    "default": lambda terms: lambda step, terms=terms: terms(step),
    "keyword default": lambda terms: lambda step, *, terms=terms: terms(step),
    "held twice": lambda terms: Halved(functools.partial(first, terms, {"again": terms})),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_an_objective_may_wrap_terms(wrap: Callable[[Any], Any]) -> None:
    """Its losses are heard, bring their settings, and the player is written down by some name."""
    model = assembled(bright=Bright())
    stages = resolve_stages(model, Played(lambda model: wrap(Terms(model.losses, "generator"))), {})
    try_stages(model, stages)
    assert stages[0].players[1].repeats == 2
    assert len(terms_of(stages[0].players[1].objective)) == 1
    assert " at 0x" not in _stage(stages[0], 100)


def test_an_objective_may_ask_losses_itself() -> None:
    class Asks:
        def __init__(self, losses: Any) -> None:
            self.losses = losses

        def __call__(self, step: Step) -> Mapping[str, Tensor]:
            return {"bright": step["fake"].mean()}

    model = assembled(bright=Bright())
    recipe = Played(lambda model: Joined({"own": Asks(model.losses), "game": Terms(model.losses[:1], "generator")}))
    assert len(losses_of(resolve_stages(model, recipe, {})[0].players[1].objective)) == 3


def test_a_loss_that_no_objective_holds_is_told_why() -> None:
    model = assembled(bright=Bright())
    recipe = Played(lambda model: Terms(model.losses[:1], "generator"))
    with pytest.raises(
        FitError, match=r"loss 'bright' has a term for generator, but no player minimizes it: player 'gen"
    ):
        resolve_stages(model, recipe, {})


def test_an_objective_that_refers_to_the_model_holds_none_of_its_losses() -> None:
    model = assembled(bright=Bright())

    def brightness(step: Step) -> Mapping[str, Tensor]:
        return {"brightness": step["fake"].mean() * len(model.losses)}

    assert losses_of(brightness) == []


def test_a_player_that_moves_what_is_not_there_is_refused() -> None:
    class Astray(Played):
        def stages(self, model: Model) -> list[Stage]:
            stages = super().stages(model)
            stages[0].players[1].moves = ("generator.decodr",)
            return stages

    with pytest.raises(FitError, match=r"moves 'generator\.decodr', but the model has no such module"):
        resolve_stages(assembled(), Astray(lambda model: Terms(model.losses, "generator")), {})


@pytest.mark.parametrize(("found", "kind"), [((1, 2), "tuple"), (3.0, "float"), ({"a": 1}, "dict")])
def test_a_loss_returns_a_tensor(found: Any, kind: str) -> None:
    class Odd(Loss):
        weight = 0.5

        def generator(self, play: Play) -> Any:
            return found

    model = assembled(odd=Odd())
    stages = resolve_stages(model, Played(lambda model: Terms(model.losses, "generator")), {})
    with pytest.raises(FitError, match=rf"'generator': Odd\.generator returned a {kind}; a scalar tensor or None"):
        try_stages(model, stages)


def test_terms_of_one_name_are_told_apart() -> None:
    """In one objective by number, in joined ones by theirs; each remembers for itself."""
    bright, model = Bright(), assembled()
    twice = Terms([("bright", bright), ("bright", bright), ("bright-2", bright)], "generator")
    step = model.step(Batch(torch.zeros(2, *SHAPE)))
    assert list(twice(step)) == ["bright", "bright-2", "bright-2-2"]
    assert str(twice) == "bright + bright-2 + bright-2-2"
    heavy = Bright()
    heavy.weight = 0.5
    games = {"small": Terms([("bright", bright)], "generator"), "large": Terms([("bright", heavy)], "generator")}
    joined = Joined({**games, "other": Halved(bright)})
    assert list(Joined(games)(step)) == ["small/bright", "large/bright"]
    assert str(joined) == "small/bright + 0.5·large/bright + Halved"
