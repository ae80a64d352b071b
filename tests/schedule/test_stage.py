"""Stages in numbers: how long a length is in steps, what a step reads, and by which optimizer a player moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from gantk import Player, Stage
from gantk.errors import OptionError
from gantk.schedule import Length
from gantk.schedule.optimizers import OPTIMIZERS, check_optimizer, check_values, make_optimizer


class Nothing:
    def __call__(self, step: object) -> Mapping[str, torch.Tensor]:
        return {}


def player(name: str, repeats: int = 1) -> Player:
    return Player(name, (name,), Nothing(), repeats=repeats)


@pytest.mark.parametrize(
    ("text", "images", "batch", "steps"),
    [
        ("1 epoch", 100, 10, 10),
        ("1 epoch", 101, 10, 11),
        ("2.5 epochs", 100, 10, 25),
        ("0.25 epochs", 100, 10, 3),
        ("7 steps", 100, 10, 7),
        ("1 STEPS", 100, 10, 1),
        ("100 images", 7, 10, 10),
        ("101 images", 7, 10, 11),
        ("1 image", 7, 10, 1),
        ("0.001 epochs", 100, 1000, 1),
        ("1e+06 images", 7, 1000, 1000),
        ("2.5e3 steps", 7, 10, 2500),
        ("  3   steps ", 7, 10, 3),
        ("1e15 steps", 7, 10, 10**15),
    ],
)
def test_a_length_in_steps(text: str, images: int, batch: int, steps: int) -> None:
    assert Length.parse(text).steps(images, batch) == steps


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "steps",
        "-3 steps",
        "0 steps",
        "0.0 epochs",
        "3 days",
        "3 stepss",
        "1e400 steps",
        "1.1e15 steps",
        "x 3 steps",
    ],
)
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="such as '25 epochs', '2000 steps' or '100000 images'"):
        Length.parse(text)


@pytest.mark.parametrize("text", ["1 epoch", "2 epochs", "0.5 epochs", "1 step", "123457 steps", "1600000 images"])
def test_a_length_is_written_as_it_is_read(text: str) -> None:
    assert str(Length.parse(text)) == text


def test_a_step_reads_one_batch_and_one_more_for_each_repeated_turn() -> None:
    stage = Stage("game", [player("d", 5), player("g", 2), player("e")], length="2 epochs", batch_size=4)
    assert stage.batches() == 6
    assert stage.steps(48) == 4, "two epochs of 48 images, 24 of them a step"
    assert Stage("fit", [player("a")], length="2 epochs", batch_size=4).steps(48) == 24


def test_turns_of_players_that_parts_bring_read_further_batches() -> None:
    """They do not count as images of the stage, whose length stays what it is without that part."""
    brought = replace(player("refiner", 4), brought_by="refiner")
    stage = Stage("game", [player("d", 5), brought, player("g")], length="2 epochs", batch_size=4)
    assert (stage.batches(), stage.further_batches()) == (5, 3)
    assert stage.steps(40) == 4
    assert Stage("game", [player("d", 5)]).further_batches() == 0


def test_a_stage_is_25_epochs_of_batches_of_128_unless_it_says_otherwise() -> None:
    stage = Stage("game", [player("g")])
    assert (stage.length, stage.batch_size, stage.adversarial) == ("25 epochs", 128, False)
    assert stage.steps(1280) == 250


def test_players_follow_one_another_in_order() -> None:
    first, second, third = players = [player(name) for name in "abc"]
    stage = Stage("game", players)
    assert stage.following(first) == [second, third]
    assert stage.following(third) == []
    assert stage.moves() == ("a", "b", "c")
    assert Stage("game", [first, Player("x", ("a", "z"), Nothing())]).moves() == ("a", "z")


def test_a_players_role_is_its_name_unless_it_has_one() -> None:
    assert player("generator").role == "generator"
    assert Player("small", ("generator",), Nothing(), role="generator").role == "generator"


def test_players_do_not_share_their_settings() -> None:
    one, other = player("a"), player("b")
    one.optimizer["lr"] = 9.0
    one.weight_schedule["term"] = "linear"
    assert (other.optimizer["lr"], other.optimizer["betas"]) == (2e-4, [0.5, 0.999])
    assert other.weight_schedule == {}
    assert set(other.settings()) == {
        *("optimizer", "lr", "betas"),
        *("repeats", "clip_weights", "clip_gradients", "lr_schedule", "weight_schedule"),
    }


def test_optimizers_are_those_of_torch_by_name() -> None:
    assert {"adam", "adamw", "sgd", "rmsprop"} <= set(OPTIMIZERS)
    assert not {"optimizer", "lbfgs"} & set(OPTIMIZERS)
    weights = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]
    for name in ("adam", "SGD", "RMSprop"):
        made = make_optimizer(check_optimizer({"optimizer": name, "lr": 0.25}, "game"), iter(weights))
        assert type(made).__name__.lower() == name.lower()
        assert [group["lr"] for group in made.param_groups] == [0.25]
        assert [id(weight) for weight in made.param_groups[0]["params"]] == [id(weight) for weight in weights]


def test_adam_stands_where_no_optimizer_is_named() -> None:
    assert check_optimizer({"lr": 0.5, "betas": [0, 0.9]}, "game") == {
        "optimizer": "adam",
        "lr": 0.5,
        "betas": pytest.approx([0.0, 0.9]),
    }


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "rmspro"}, r"game: there is no optimizer 'rmspro'\. Did you mean 'rmsprop'"),
        ({"optimizer": "lbfgs"}, "there is no optimizer 'lbfgs'"),
        ({"optimizer": "sgd", "betas": [0.5, 0.9]}, "game: optimizer 'sgd'.*betas"),
        ({"lr": "fast"}, "game: optimizer 'adam'.*lr"),
        ({"lr": -1.0}, "game: optimizer 'adam': Invalid learning rate: -1.0"),
        ({"betas": [1.5, 0.9]}, "game: optimizer 'adam': Invalid beta"),
    ],
)
def test_what_no_optimizer_takes_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        check_values(check_optimizer(settings, "game"), "game")
