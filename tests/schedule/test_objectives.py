"""What players minimize and read: joined objectives, and values that parts bring to a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import gantk
from gantk import Binding, Discriminator, Joined, Loss, Model, Part, Play, Player, Refiner, Stage, Step, Terms
from gantk.building.stage_settings import resolve_stages
from gantk.errors import FitError
from gantk.recipe import Recipe
from gantk.schedule import Batch
from gantk.schedule.objective import joining
from gantk.schedule.stage import Value
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_classic.condition import VectorCondition
from gantk_classic.noise import Gaussian

SHAPE = (1, 4, 3)


class Brightness(Loss):
    """The mean of generated images, which wants five turns."""

    settings = {"generator": {"repeats": 5}}  # noqa: RUF012

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def generator(self, play: Play) -> Tensor:
        return play.fake.mean()


class Constant:
    """An objective of one term."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {self.name: torch.tensor(self.value)}

    def __str__(self) -> str:
        return self.name


class Brought(Refiner):
    """Brings three values to every game, one of them under a name that the model has, one under the recipe's."""

    def forward(self, images: Tensor) -> Tensor:
        return images

    def values(self, path: str, stage: Stage) -> Mapping[str, Value]:
        if not stage.adversarial:
            return {}
        return {
            "own": lambda step: step["real"] + 1,
            "refined": lambda step: step["real"] + 2,
            "shown": lambda step: step["real"] + 3,
        }


class Two(Recipe):
    """A game, which has a value of its own, and a stage that is none."""

    def __init__(self, players: Sequence[Player] = ()) -> None:
        self.given = players

    def stages(self, model: Model) -> list[Stage]:
        values: Mapping[str, Value] = {"shown": lambda step: step["real"] + 4}
        return [Stage("game", [*self.given], adversarial=True, values=values), Stage("fit", [], values=values)]


def model(**parts: Any) -> Model:
    torch.manual_seed(0)
    judge: Discriminator = ToyDiscriminator(frozenset({"logits", "hidden"}), SHAPE, 5)
    return Model(Gaussian(5), ToyGenerator(SHAPE, 5), judge, **parts)


def test_a_part_brings_values_over_the_models_and_below_the_stages() -> None:
    assembled = model(refiner=Brought())
    game, fit = resolve_stages(assembled, Two(), {})
    step = assembled.step(Batch(torch.zeros(2, *SHAPE)), game.values)
    assert {name: step[name].unique().tolist() for name in ("own", "refined", "shown")} == {
        "own": [1],
        "refined": [2],
        "shown": [4],
    }
    plain = assembled.step(Batch(torch.zeros(2, *SHAPE)), fit.values)
    assert plain["shown"].unique().tolist() == [4]
    assert torch.equal(plain["refined"], plain["fake"])
    with pytest.raises(FitError, match="a step has no value 'own'"):
        plain["own"]


def test_joined_objectives_stand_side_by_side() -> None:
    joined = Joined({"one": Constant("a", 1.0), "two": Joined({"b": Constant("b", 2.0), "c": Constant("b", 3.0)})})
    terms = joined(model().step(Batch(torch.zeros(2, *SHAPE))))
    assert {name: term.item() for name, term in terms.items()} == {"one/a": 1, "two/b/b": 2, "two/c/b": 3}
    assert str(joined) == "a + b/b + c/b"


def test_joined_terms_of_losses_are_weighted_and_written_as_terms_are() -> None:
    assembled = model(losses={"bright": Brightness(weight=0.5)})
    joined = Joined({"game": Terms(assembled.losses, "generator"), "rest": Constant("rest", 1.0)})
    step = assembled.step(Batch(torch.zeros(2, *SHAPE)))
    step.begin(["generator"])
    terms = joined(step)
    assert terms["game/bright"].item() == pytest.approx(0.5 * step["fake"].mean().item())
    assert terms["game/bright"].requires_grad
    assert str(joined) == "0.5·bright + rest"


def test_losses_within_a_joined_objective_are_heard_and_bring_their_settings() -> None:
    assembled = model(losses={"bright": Brightness()})
    joined = Joined({"game": Terms(assembled.losses, "generator"), "rest": Constant("rest", 1.0)})
    players = [Player("generator", ("generator",), joined)]
    game, _ = resolve_stages(assembled, Two(players), {"game": {"generator": {"lr": 0.5}}})
    assert (game.players[0].repeats, game.players[0].optimizer["lr"]) == (5, 0.5)


def test_a_joined_objective_without_losses_for_its_role_is_refused() -> None:
    assembled = model(losses={"bright": Brightness()})
    joined = Joined({"game": Terms(assembled.losses, "critic"), "rest": Constant("rest", 1.0)})
    with pytest.raises(FitError, match="no loss has a term for a critic"):
        resolve_stages(assembled, Two([Player("generator", ("generator",), joined)]), {})


def test_a_loss_generates_again_with_what_its_binding_names() -> None:
    class Again(Loss):
        """How bright the images of opposite noise are."""

        def generator(self, play: Play) -> Tensor:
            return play.generate(-play.noise).mean()

    assembled = model(losses={"again": Again()})
    for path, half in (("generator", assembled.generator), ("generator.decoder", assembled.generator.decoder)):
        step = assembled.step(Batch(torch.zeros(2, *SHAPE)))
        step.begin(["generator"])
        terms = Terms(assembled.losses, "generator", gantk.Binding(generator=path))(step)
        assert terms["again"].item() == pytest.approx(half(-step["noise"]).mean().item())


class Says(Part):
    """Joins a game, or does not say whether."""

    def __init__(self, answer: Any = True) -> None:
        super().__init__()
        self.answer = answer

    def joins(self, binding: Binding) -> Any:
        return self.answer


class Classes(VectorCondition):
    """A condition that joins every game."""

    def joins(self, binding: Binding) -> bool:
        return True


def test_of_the_parts_that_join_a_game_the_condition_is_last() -> None:
    """So that augmentations are not applied to its channels."""
    condition, first, second, absent = Classes(label_dim=2), Says(), Says(), Says(False)
    parts = {"condition": condition, "z": first, "b": absent, "c": second}
    assert list(joining(parts, Binding())) == ["z", "c", "condition"]
    assert list(Terms([("bright", Brightness())], "generator").speakers(parts)) == ["bright", "z", "c", "condition"]
    with pytest.raises(FitError, match=r"Says\.joins returned 'yes'; expected True or False\."):
        joining({"a": Says("yes")}, Binding())


@pytest.mark.parametrize("term", [None, 3])
def test_a_loss_may_have_nothing_to_say_in_a_turn_but_no_number(term: Any) -> None:
    class Odd(Loss):
        """Returns what it is told to."""

        def generator(self, play: Play) -> Any:
            return term

    objective = Terms([("odd", Odd()), ("bright", Brightness())], "generator")
    step = model().step(Batch(torch.zeros(2, *SHAPE)))
    if term is None:
        assert list(objective(step)) == ["bright"]
    else:
        with pytest.raises(FitError, match=r"Odd\.generator returned a int; a scalar tensor or None is expected"):
            objective(step)
