"""What a run writes down of a part that was handed over: what it was constructed with where a run can hold that."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk import registry
from gantk.data import ArraySource
from gantk.errors import OptionError

SMALL = {"generator": "gan:widths=[4]", "discriminator": "gan:widths=[4]"}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given nothing yet."""
    monkeypatch.setattr(registry, "_given", {})


class Mixed(gantk.NoiseSource):
    """Takes values of every kind, and reads none."""

    def __init__(self, dim: int = 6, parts: Any = (), named: Any = None, **rest: Any) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng)


class Loose(Mixed):
    """Says that an option is a number where it may be none."""

    def __init__(self, dim: int = 6, scale: float = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
        super().__init__(dim)


class Counting(Mixed):
    """Asks for something that follows from the data."""

    def __init__(self, class_count: int, dim: int = 6) -> None:
        super().__init__(dim)


class Hidden(Counting):
    """Its arguments never reach gantk."""

    def __new__(cls, class_count: int, dim: int = 6) -> Any:
        return super().__new__(cls)


def noted(images: ArraySource, noise: Any) -> dict[str, Any]:
    table: dict[str, Any] = gantk.build(data=images, noise=noise, **SMALL).built.spec["noise"]
    return table


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({"parts": [4, "a", True]}, {"parts": [4, "a", True]}),
        ({"parts": (4, (1, 2.5))}, {"parts": [4, [1, 2.5]]}),
        ({"named": {"a": 1, "b": [2]}}, {"named": {"a": 1, "b": [2]}}),
    ],
)
def test_numbers_texts_lists_and_tables_of_them_are_written(
    images: ArraySource, options: dict[str, Any], written: dict[str, Any]
) -> None:
    found = noted(images, Mixed(5, **options))
    assert {name: found[name] for name in written} == written
    assert found["dim"] == 5


@pytest.mark.parametrize(
    "options",
    [
        {"parts": [4, nn.ReLU]},
        {"parts": nn.ReLU},
        {"named": {"a": 1, "b": nn.ReLU}},
        {"named": {1: 2}},
        {"named": {"a": None}},
        {"parts": [4, None]},
        {"color": 3},
    ],
)
def test_anything_else_is_the_parts_own(images: ArraySource, options: dict[str, Any]) -> None:
    assert noted(images, Mixed(5, **options)) == {"plugin": "python:Mixed"}


def test_what_follows_from_the_data_is_not_written_and_must_be_what_the_data_say(images: ArraySource) -> None:
    assert noted(images, Counting(2, 5)) == {"plugin": "python:Counting", "dim": 5}
    assert noted(images, Counting(7, 5)) == {"plugin": "python:Counting"}


def test_an_option_at_none_is_left_out(images: ArraySource) -> None:
    assert noted(images, Loose(5, scale=None)) == {"plugin": "python:Loose", "dim": 5}


def test_a_part_whose_arguments_are_not_known_is_the_parts_own(images: ArraySource) -> None:
    assert noted(images, Hidden(2, 5)) == {"plugin": "python:Hidden"}


def test_a_list_with_code_in_it_is_no_option(images: ArraySource) -> None:
    with pytest.raises(OptionError, match=r"a run stores numbers and strings, not parts=\[4, <class"):
        noted(images, (Mixed, {"parts": [4, nn.ReLU]}))
