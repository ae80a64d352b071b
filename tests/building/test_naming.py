"""What a user may write where a part is named, and under which names code is registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gantk
from gantk import registry
from gantk.building.given import named
from gantk.errors import OptionError, UnknownName


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given nothing yet."""
    monkeypatch.setattr(registry, "_given", {})


class Squares(gantk.NoiseSource):
    """Squares of normal numbers."""

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng).square()


def brightness(play: Any) -> Tensor:
    mean: Tensor = play.fake.mean()
    return mean


ROLES = {"generator": brightness}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("minimax", ["minimax"]),
        (["minimax", "hidden"], ["minimax", "hidden"]),
        (["minimax", "hidden", "code"], ["minimax", "hidden", "code"]),
        (("minimax", {"weight": 2}), [("minimax", {"weight": 2})]),
        (["minimax", {"weight": 2}], [["minimax", {"weight": 2}]]),
        (("minimax", {}), [("minimax", {})]),
        (["minimax", {"plugin": "hidden"}], ["minimax", {"plugin": "hidden"}]),
        (["minimax", ("hidden", {"weight": 2})], ["minimax", ("hidden", {"weight": 2})]),
        ((brightness, {"weight": 2}), [{"plugin": "python:brightness", "weight": 2}]),
        ({"plugin": brightness, "weight": 2}, [{"plugin": "python:brightness", "weight": 2}]),
        (["minimax", brightness], ["minimax", {"plugin": "python:brightness"}]),
        ({}, [{}]),
        (3, [3]),
    ],
)
def test_several_losses_one_and_one_with_options_are_told_apart(value: Any, meant: list[Any]) -> None:
    assert named("loss", value) == meant


def test_a_loss_by_roles_beside_another() -> None:
    found = named("loss", ["minimax", ROLES])
    assert found[0] == "minimax"
    assert [*found[1]] == ["plugin"]
    assert found[1]["plugin"].startswith("python:")
    assert named("loss", ROLES) == [found[1]]


@pytest.mark.parametrize("value", ["dcgan", ("dcgan", {"width": 4}), {"plugin": "dcgan", "width": 4}, 3])
def test_names_stay_as_they_are(value: Any) -> None:
    assert named("generator", value) == value


def test_code_has_one_name_however_often_it_is_given() -> None:
    gantk.register("noise", Squares, name="mine")
    assert named("noise", Squares) == {"plugin": "python:mine"}
    assert named("noise", (Squares, {"dim": 3})) == {"plugin": "python:mine", "dim": 3}
    assert named("noise", Squares()) == {"plugin": "python:Squares"}


@pytest.mark.parametrize("value", [(Squares, {"dim": 3}, 1), (Squares, 3), (Squares,)])
def test_code_with_something_else_beside_it_is_no_part(value: Any) -> None:
    assert named("noise", value) is value


def test_code_in_a_file_is_named_with_its_options(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def flat(n, dim=2):\n    import torch\n\n    return torch.zeros(n, dim)\n")
    assert named("noise", f" {path}:flat ") == {"plugin": "python:flat"}
    assert named("noise", f"{path}:flat:dim=3") == {"plugin": "python:flat", "dim": "3"}


def test_code_in_a_file_goes_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def flat(n):\n    import torch\n\n    return torch.zeros(n, 2)\n\n\nother = flat\n")
    assert named("noise", f"{path}:other") == {"plugin": "python:other"}


def test_a_file_is_not_yet_a_part() -> None:
    with pytest.raises(
        OptionError, match=r"^noise: ' mine\.py ' is a file; give the name of an object in it, as in mine\.py:NAME\."
    ):
        named("noise", " mine.py ")


@pytest.mark.parametrize("name", ["my noise", "1st", "-mine", "a.b", "mine:x"])
def test_a_name_that_cannot_be_typed_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"a part's name consists of letters, digits, _ and -, not '{name}'"):
        gantk.register("noise", Squares, name=name)
    assert not registry._given


def test_a_kind_that_does_not_exist_is_refused_before_anything_is_decorated() -> None:
    with pytest.raises(UnknownName, match="noize"):
        gantk.register("noize", "mine")


def test_registering_returns_the_thing_itself_and_lists_it() -> None:
    assert gantk.register("noise", Squares) is Squares
    assert gantk.register("noise", name="other-1")(Squares) is Squares
    assert gantk.register("noise", "_third")(Squares) is Squares
    names = [plugin.name for plugin in registry.plugins("noise")]
    assert {"Squares", "other-1", "_third"} <= set(names)
    assert isinstance(gantk.construct("noise", "other-1:dim=3"), Squares)
