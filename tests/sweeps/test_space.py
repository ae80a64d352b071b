"""The space of a search: ranges beside alternatives, what they are called, and what is chosen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from gantk.errors import UsageError
from gantk.sweeps.grid import Grid
from gantk.sweeps.space import Point, Range, Space


class Given:
    """Chooses what is given, and remembers between what."""

    def __init__(self, **values: Any) -> None:
        self.values, self.asked = values, dict[str, Any]()

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> Any:
        self.asked[name] = tuple(choices)
        return self.values[name]

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        self.asked[name] = (low, high, log)
        return self.values[name]

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        self.asked[name] = (low, high, log)
        return self.values[name]


def space(*settings: str, recipe: str | None = None, **parts: Any) -> Space:
    return Space(Grid(recipe, parts, settings, [3]))


def chosen(text: str, value: Any) -> str:
    found: Point = space(f"train.x={text}").choose(Given(x=value))
    return found.values["x"]


def test_a_build_has_a_value_for_each_parameter() -> None:
    given = Given(**{"lr": 1.23456e-4, "ema": "0.99", "generator.width": 48})
    found = space(
        "stages.game.*.lr=1e-5..1e-3", "train.ema=0.9|0.99", "train.samples=4", generator="dcgan:width=32..64"
    )
    point = found.choose(given)
    assert given.asked == {
        "generator.width": (32, 64, False),
        "lr": (1e-5, 1e-3, True),
        "ema": ("0.9", "0.99"),
    }
    assert point.cell.name == "generator=dcgan-width=48,lr=0.0001235,ema=0.99"
    assert point.cell.parts == {"generator": "dcgan:width=48"}
    assert point.cell.settings == ("stages.game.*.lr=0.0001235", "train.ema=0.99", "train.samples=4")
    assert point.cell.seed == 3
    assert point.values == {"generator": "dcgan:width=48", "lr": "0.0001235", "ema": "0.99"}


def test_a_parameter_of_one_alternative_is_asked_for_with_it_alone() -> None:
    found = space(generator="dcgan:width=4..64|degan:fc=1..2,widths=[8..16,32]|")
    assert list(found.ranges) == ["generator", "generator.dcgan.width", "generator.degan.fc", "generator.degan.widths"]
    given = Given(
        **{"generator": "degan:fc=1..2,widths=[8..16,32]", "generator.degan.fc": 2, "generator.degan.widths": 9}
    )
    assert found.choose(given).cell.parts == {"generator": "degan:fc=2,widths=[9,32]"}
    assert "generator.dcgan.width" not in given.asked
    assert found.choose(Given(generator="none")).values == {"generator": "none"}


@pytest.mark.parametrize(
    ("text", "range_", "log"),
    [
        ("1e-5..1e-3", Range(1e-5, 1e-3, False), True),
        ("0..1", Range(0, 1, True), False),
        ("2..64", Range(2, 64, True), True),
        ("-1.5...5", Range(-1.5, 0.5, False), False),
        ("0.9..0.999", Range(0.9, 0.999, False), False),
    ],
)
def test_ranges(text: str, range_: Range, log: bool) -> None:
    found = space(f"train.x={text}").ranges["x"]
    assert found == range_
    assert isinstance(found, Range)
    assert found.log == log


@pytest.mark.parametrize("text", ["../1..2", "a1..2", "1..2x", "v1.0..1.1/x", "1..b"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(UsageError, match="there is nothing to search"):
        space(f"train.x={text}")


def test_a_length_and_a_part_within_a_part_can_have_ranges() -> None:
    point = space("stages.game.length=5..20 epochs", noise="de:autoencoder='vae:width=4..8'").choose(
        Given(**{"length": 7, "noise.width": 5})
    )
    assert point.cell.settings == ("stages.game.length=7 epochs",)
    assert point.cell.parts == {"noise": "de:autoencoder='vae:width=5'"}


def test_numbers_are_written_with_the_digits_that_count_and_stay_in_their_range() -> None:
    assert chosen("1e-5..1e-3", 1.23456789e-4) == "0.0001235"
    assert chosen("0.99..0.9999", 0.998765432) == "0.998765"
    assert chosen("0..99.9999", 99.99989) == "99.9999"
    assert chosen("0..99.9999", 1 / 3) == "0.333"


@pytest.mark.parametrize("text", ["2..1", "1..1", "1..1e999"])
def test_a_range_has_its_lower_end_first(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a range: expected two numbers in ascending order"):
        space(f"train.x={text}")


def test_at_random_is_within_the_space_and_follows_its_seed() -> None:
    found = space("a.lr=1e-5..1e-3", "a.n=1..3", "a.m=1..100", "a.u=0.5..0.7", "a.c=p|q")
    points = [found.at_random(random.Random(seed)) for seed in range(50)]
    assert {params["n"] for _, params in points} == {1, 2, 3}
    assert {params["c"] for _, params in points} == {"p", "q"}
    assert all(1e-5 <= params["lr"] <= 1e-3 and 0.5 <= params["u"] <= 0.7 for _, params in points)
    assert sum(params["lr"] < 1e-4 for _, params in points) > 10
    assert found.at_random(random.Random(7)) == points[7]
