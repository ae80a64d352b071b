"""Settings of stages: by name and by pattern, layer over layer; a build enters a stage before it tries it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import gantk
from gantk import Binding, Model, Player, Stage, Terms
from gantk.building.composition import compose
from gantk.building.merging import merge_stages
from gantk.building.stage_settings import resolve_stages
from gantk.building.trial import try_stages
from gantk.errors import OptionError
from gantk.recipe import Recipe

Build = Callable[..., Model]


class Sized(Recipe):
    """Three stages, the last of them for one player."""

    def stages(self, model: Model) -> Sequence[Stage]:
        def player(role: str) -> Player:
            return Player(role, (role,), Terms(model.losses, role))

        both = ("discriminator", "generator")
        return [Stage(name, [player(role) for role in both]) for name in ("size-8", "size-16")] + [
            Stage("polish", [player("generator")])
        ]


def resolved(model: Model, settings: dict[str, Any]) -> dict[str, Stage]:
    return {stage.name: stage for stage in resolve_stages(model, Sized(), settings)}


def test_a_pattern_is_for_every_stage_whose_name_it_matches(tiny: Build) -> None:
    stages = resolved(tiny(), {"size-*": {"length": "3 steps", "generator": {"lr": 0.5}}})
    assert [stage.length for stage in stages.values()] == ["3 steps", "3 steps", "25 epochs"]
    assert [stage.players[-1].optimizer["lr"] for stage in stages.values()] == [0.5, 0.5, 2e-4]


def test_a_stages_own_settings_are_over_those_of_patterns_and_later_patterns_over_earlier_ones(tiny: Build) -> None:
    settings = {"size-8": {"batch_size": 3}, "*": {"batch_size": 1, "length": "1 step"}, "size-*": {"batch_size": 2}}
    stages = resolved(tiny(), settings)
    assert [stage.batch_size for stage in stages.values()] == [3, 2, 1]
    assert {stage.length for stage in stages.values()} == {"1 step"}


def test_settings_of_a_stage_with_a_question_mark_apply_if_there_is_such_a_stage(tiny: Build) -> None:
    stages = resolved(
        tiny(), {"polish?": {"batch_size": 3}, "pretrain?": {"batch_size": 5}, "polish": {"length": "1 step"}}
    )
    assert [stage.batch_size for stage in stages.values()] == [128, 128, 3]
    assert stages["polish"].length == "1 step"


def test_a_recipe_whose_noise_is_replaced_does_without_the_stage_that_it_brought() -> None:
    model = gantk.build("degan-mnist", noise="gaussian", data=np.zeros((130, 1, 28, 28), np.uint8))
    assert [stage.name for stage in model.built.stages] == ["game"]


def test_a_patterns_player_settings_are_for_the_stages_that_have_the_player(tiny: Build) -> None:
    stages = resolved(tiny(), {"*": {"discriminator": {"repeats": 2}}})
    assert [stage.players[0].repeats for stage in stages.values()] == [2, 2, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step-*": {"length": "1 step"}}, r"stages\.step-\*: there is no such stage\. Did you mean|Known"),
        ({"size-*": {"refiner": {"lr": 1.0}}}, r"stages\.size-8\.refiner: no such setting or player"),
        (
            {"size-8": {"lr": 0.1}},
            r"for each player: stages\.size-8\.discriminator\.lr or stages\.size-8\.gen",
        ),
        (
            {"polish": {"optimizer": "sgd"}},
            r"stages\.polish\.generator\.optimizer, or stages\.polish\.\*\.opt",
        ),
        ({"size-*": {"repeats": 2}}, r"repeats is set for each player: stages\.size-8\.discriminator\.repeats"),
        ({"*": {"gan*": {"lr": 0.1}}}, r"stages\.\*\.gan\*: there is no such player\. Known: discriminator, generator"),
        ({"size-*": {"batch_size": 0}}, r"stages\.size-8\.batch_size must be at least 1"),
        ({"polish": {"generator": 3}}, r"stages\.polish\.generator is a player; .*stages\.polish\.generator\.lr"),
        ({"polish": {"generator": {"repeats": 0}}}, r"stages\.polish\.generator\.repeats must be at least 1"),
        ({"polish": {"generator": {"clip_weights": -0.1}}}, r"polish\.generator\.clip_weights must be at least 0"),
        ({"polish": {"generator": {"clip_gradients": -0.1}}}, r"generator\.clip_gradients must be at least 0"),
        ({"polish": {"generator": {"lr_schedule": "lin"}}}, r"generator\.lr_schedule: there is no schedule 'lin'"),
        ({"polish": {"generator": {"weight_schedule": {"a": "lin"}}}}, r"weight_schedule\.a: there is no schedule"),
    ],
)
def test_what_nobody_has_is_refused(settings: dict[str, Any], message: str, tiny: Build) -> None:
    with pytest.raises(OptionError, match=message):
        resolved(tiny(), settings)


def test_the_least_values_are_allowed(tiny: Build) -> None:
    least = {"repeats": 1, "clip_weights": 0, "clip_gradients": 0}
    stages = resolved(tiny(), {"polish": {"batch_size": 1, "generator": least}})
    assert {name: stages["polish"].players[0].settings()[name] for name in least} == least
    assert stages["polish"].batch_size == 1


def test_a_player_may_be_a_pattern_too(tiny: Build) -> None:
    stages = resolved(tiny(), {"*": {"*": {"lr": 0.5}, "gen*": {"repeats": 2}, "generator": {"lr": 0.25}}})
    found = [[(p.name[:3], p.optimizer["lr"], p.repeats) for p in stage.players] for stage in stages.values()]
    assert found == [[("dis", 0.5, 1), ("gen", 0.25, 2)]] * 2 + [[("gen", 0.25, 2)]]


def test_a_pattern_of_players_goes_over_what_the_recipe_says_of_them() -> None:
    game = compose("wgan", {}, ["stages.*.*.lr=0.5", "stages.game.generator.lr=0.25"])["stages"]["game"]
    assert (game["discriminator"]["lr"], game["generator"]["lr"]) == (0.5, 0.25)
    assert gantk.build(settings=["stages.*.*.lr=0.5"]).built.stages[0].players[1].optimizer["lr"] == 0.5


def test_a_later_layers_pattern_is_over_an_earlier_layers_names() -> None:
    lower = {"game": {"batch_size": 128, "length": "2 epochs"}, "size-4*": {"batch_size": 9}, "other": {}}
    merged = merge_stages(lower, {"*": {"batch_size": 4}})
    assert merged["game"] == {"batch_size": 4, "length": "2 epochs"}
    assert merged["size-4*"] == merged["*"] == {"batch_size": 4}
    again = merge_stages(merged, {"game": {"batch_size": 5}})
    assert again["game"]["batch_size"] == 5
    assert again["*"] == {"batch_size": 4}


def test_on_the_command_line_the_last_word_counts() -> None:
    settings = ["stages.*.batch_size=7", "stages.game.length=3 steps", "stages.*.discriminator.lr=0.5"]
    game = compose("wgan", {}, settings)["stages"]["game"]
    assert (game["batch_size"], game["length"], game["discriminator"]["lr"]) == (7, "3 steps", 0.5)


def test_a_model_keeps_the_stages_names_and_no_pattern(tiny: Build) -> None:
    model = tiny(settings={"stages.g*.batch_size": 5})
    assert list(model.built.spec["stages"]) == ["game"]
    assert model.built.spec["stages"]["game"]["batch_size"] == 5


def test_a_stage_is_entered_before_its_objectives_are_tried_and_left_as_it_was(tiny: Build) -> None:
    """A stage whose values only fit what its `enter` and `each` have set."""
    model = tiny()
    model.generator.register_buffer("scale", torch.ones(()))
    weight = next(model.generator.parameters())
    before = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    found: list[tuple[float, float, float]] = []

    def enter(model: Model) -> None:
        model.generator.get_buffer("scale").fill_(2.0)
        with torch.no_grad():
            weight.fill_(3.0)

    def each(model: Model, done: float) -> None:
        found.append((float(model.generator.get_buffer("scale")), float(weight.detach().flatten()[0]), done))

    player = Player("generator", ("generator",), Terms(model.losses, "generator", Binding()))
    try_stages(model, [Stage("grown", [player], enter=enter, each=each)])
    assert found == [(2.0, 3.0, 0.0)]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_patterns_reach_the_stages_that_parts_bring(tiny: Build) -> None:
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", settings={"stages.*.batch_size": 4})
    assert [(stage.name, stage.batch_size) for stage in model.built.stages] == [("pretrain", 4), ("game", 4)]
    assert isinstance(model, gantk.Model)
