"""One spec over another: what merges, what replaces, and what is taken out."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from gantk.building.merging import combine_losses, leave_out, merge, merge_player, merge_stages
from gantk.errors import OptionError, UsageError

LOWER: dict[str, Any] = {
    "noise": {"plugin": "gantk:de", "dim": 8, "sample": False},
    "generator": {"plugin": "gantk:dcgan", "width": 8},
    "loss": [{"plugin": "gantk:minimax"}],
    "train": {"keep": 3, "ema": 0.5},
    "stages": {"game": {"length": "3 steps", "generator": {"lr": 0.5}}},
    "seed": 1,
}


def test_the_same_part_and_tables_merge_and_all_else_replaces() -> None:
    before = deepcopy(LOWER)
    upper = {
        "noise": {"plugin": "gantk:de", "dim": 9},
        "generator": {"plugin": "gantk:gan"},
        "loss": [],
        "train": {"ema": 0.9},
        "stages": {"game": {"generator": {"repeats": 2}}, "more": {"length": "1 step"}},
        "data": {"plugin": "gantk:digits"},
    }
    assert merge(LOWER, upper) == {
        "noise": {"plugin": "gantk:de", "dim": 9, "sample": False},
        "generator": {"plugin": "gantk:gan"},
        "loss": [],
        "train": {"keep": 3, "ema": 0.9},
        "stages": {
            "game": {"length": "3 steps", "generator": {"lr": 0.5, "repeats": 2}},
            "more": {"length": "1 step"},
        },
        "seed": 1,
        "data": {"plugin": "gantk:digits"},
    }
    assert before == LOWER
    assert merge({}, {"train": {"keep": 1}, "stages": {"a": {"b": 1}}}) == {
        "train": {"keep": 1},
        "stages": {"a": {"b": 1}},
    }


def test_what_was_merged_shares_nothing_with_what_it_was_made_of() -> None:
    upper = {"loss": [{"plugin": "gantk:minimax"}]}
    merged = merge(LOWER, upper)
    merged["loss"][0]["weight"] = 2
    merged["stages"]["game"]["length"] = "9 steps"
    assert upper == {"loss": [{"plugin": "gantk:minimax"}]}
    assert LOWER["stages"]["game"]["length"] == "3 steps"


def test_a_stage_is_a_table() -> None:
    with pytest.raises(OptionError, match=r"stages\.game is a table, not '3 steps'"):
        merge_stages({}, {"game": "3 steps"})


def test_a_pattern_says_nothing_to_a_stage_that_does_not_have_it() -> None:
    """What it says is kept under its own name, for stages that are not named yet."""
    lower = {"size-4": {"generator": {"lr": 1.0}}, "polish": {"length": "1 step"}}
    pattern = {"length": "2 steps", "gen*": {"lr": 0.5}, "critic": {"lr": 0.5}}
    assert merge_stages(lower, {"size-*": pattern}) == {
        "size-4": {"generator": {"lr": 0.5}},
        "polish": {"length": "1 step"},
        "size-*": pattern,
    }


def test_another_optimizer_keeps_of_a_player_only_what_is_no_optimizers() -> None:
    lower = {"optimizer": "adam", "betas": [0, 0.9], "lr": 0.1, "repeats": 5, "clip_weights": 0.01}
    assert merge_player(lower, {"optimizer": "sgd"}) == {"optimizer": "sgd", "repeats": 5, "clip_weights": 0.01}
    assert merge_player(lower, {"optimizer": "adam", "lr": 0.2}) == {**lower, "lr": 0.2}
    assert merge_player(lower, {"lr": 0.2}) == {**lower, "lr": 0.2}
    assert merge_player({"lr": 0.1}, {"optimizer": "adam"}) == {"optimizer": "adam"}


LOSSES = {"gantk:hidden": False, "gantk:minimax": True, "gantk:wgan-gp": True}
HIDDEN, MINIMAX, WGAN_GP = ({"plugin": name} for name in LOSSES)


def test_losses_of_a_user_replace_the_adversarial_one_and_join_the_others() -> None:
    lower = [{**HIDDEN, "weight": 0.1}, {**MINIMAX, "weight": 0.5}]

    def combined(*upper: dict[str, Any]) -> list[dict[str, Any]]:
        return combine_losses(lower, upper, LOSSES)

    assert combined() == [lower[1], lower[0]]
    assert combined(WGAN_GP) == [WGAN_GP, lower[0]]
    assert combined({**MINIMAX, "a": 1}) == [{**lower[1], "a": 1}, lower[0]]
    assert combined({**HIDDEN, "layer": 2}) == [lower[1], {**lower[0], "layer": 2}]
    assert lower == [{**HIDDEN, "weight": 0.1}, {**MINIMAX, "weight": 0.5}]
    with pytest.raises(UsageError, match="exactly one adversarial loss, not gantk:minimax and gantk:wgan-gp"):
        combined(MINIMAX, WGAN_GP)


@pytest.mark.parametrize("name", ["hidden", "loss.hidden", "gantk:hidden"])
def test_a_part_is_taken_out_by_any_of_its_names(name: str) -> None:
    spec: dict[str, Any] = {"loss": [MINIMAX, HIDDEN], "refiner": {"plugin": "gantk:denoiser"}}
    leave_out(spec, name)
    assert spec == {"loss": [MINIMAX], "refiner": {"plugin": "gantk:denoiser"}}
    for slot in ("refiner", "loss"):
        leave_out(spec, slot)
    assert spec == {}
    spec = {"refiner": {"plugin": "gantk:denoiser"}}
    leave_out(spec, "denoiser")
    assert spec == {}
    with pytest.raises(UsageError, match="--without refiner: the recipe has no such part"):
        leave_out(spec, "refiner")


def test_what_is_no_part_is_not_taken_out() -> None:
    spec: dict[str, Any] = {"title": "x", "stages": {"game": {}}, "noise": {"plugin": "gantk:de"}}
    before = deepcopy(spec)
    for name in ("title", "stages", "recipe"):
        with pytest.raises(UsageError, match=f"--without {name}: the recipe has no such part"):
            leave_out(spec, name)
    assert spec == before
