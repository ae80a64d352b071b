"""What parts remember: a set of numbers for each part in each game, read as copies, and nothing undeclared."""

from __future__ import annotations

import pytest
import torch

from gantk import Binding
from gantk.schedule.states import States


def numbers(states: States, key: str) -> dict[str, float]:
    return {name: value.item() for name, value in states.of(key).items()}


def test_numbers_begin_as_they_are_declared() -> None:
    states = States()
    states.declare("loss.began", {"k": 0.25, "turns": 3})
    assert numbers(states, "loss.began") == {"k": 0.25, "turns": 3}
    assert numbers(states, "loss.other") == {}


def test_declaring_again_keeps_what_is_remembered() -> None:
    states = States()
    states.declare("began", {"k": 0.0})
    states.update("began", {"k": torch.tensor(0.5)})
    states.declare("began", {"k": 0.0, "more": 1.0})
    assert numbers(states, "began") == {"k": 0.5, "more": 1.0}


def test_each_key_has_its_own() -> None:
    """Also where one key is the beginning of the other, or they differ only by a dot."""
    states = States()
    keys = ["a", "ab", "a.b", Binding(real="x").key("a"), Binding(real="y").key("a")]
    for number, key in enumerate(keys):
        states.declare(key, {"k": float(number)})
    states.update("a", {"k": torch.tensor(9.0)})
    assert [numbers(states, key) for key in keys] == [{"k": float(k)} for k in (9, 1, 2, 3, 4)]


def test_what_is_read_is_a_copy() -> None:
    states = States()
    states.declare("began", {"k": 1.0})
    states.of("began")["k"].add_(1)
    assert numbers(states, "began") == {"k": 1.0}


def test_a_number_that_was_not_declared_is_not_kept() -> None:
    states = States()
    states.declare("began", {"k": 1.0})
    with pytest.raises((KeyError, AttributeError)):
        states.update("began", {"g": torch.tensor(1.0)})
    assert numbers(states, "began") == {"k": 1.0}


def test_a_checkpoint_holds_them() -> None:
    one, other = States(), States()
    for states in (one, other):
        states.declare("loss.a-b(real=x.y)", {"k": 1.0})
    one.update("loss.a-b(real=x.y)", {"k": torch.tensor(0.3)})
    other.load_state_dict(one.state_dict())
    assert numbers(other, "loss.a-b(real=x.y)") == numbers(one, "loss.a-b(real=x.y)") == {"k": pytest.approx(0.3)}


def test_games_that_differ_in_anything_have_keys_of_their_own() -> None:
    assert Binding().key("began") == "began"
    other = {name: Binding(**{name: "other"}).key("began") for name in vars(Binding())}
    assert len({*other.values(), "began"}) == len(other) + 1
