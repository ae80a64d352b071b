"""Presets: the recipes that they extend, one over the other, and what is said of one that extends none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest

from gantk import registry
from gantk.building.presets import recipe_spec
from gantk.errors import BrokenPlugin
from gantk.recipe import Adapted, AdaptivePreset, Wanted

Give = Callable[..., None]


@pytest.fixture
def give() -> Iterator[Give]:
    """Makes presets known by their names: name → TOML."""
    names: list[str] = []

    def known(**texts: Any) -> None:
        for name, text in texts.items():
            registry.give("recipe", name, lambda text=text: text, thing=text, listed=True)
            names.append(name)

    yield known
    for name in names:
        registry._given.pop(("recipe", name))


def test_a_preset_goes_over_the_one_that_it_extends_down_to_the_schedule(give: Give) -> None:
    give(
        low="extends = 'dcgan'\ntitle = 'low'\nnoise = 'gaussian:dim=7'\n"
        "[stages.game]\nlength = '3 steps'\nbatch_size = 4",
        high="extends = 'low'\nscored = {fid = 3.0}\n[stages.game]\nlength = '5 steps'",
    )
    spec = recipe_spec("high")
    assert (spec["recipe"], spec["preset"], spec["title"]) == ({"plugin": "gantk:game"}, "high", "low")
    assert (spec["noise"]["plugin"], spec["noise"]["dim"]) == ("gantk:gaussian", "7")
    assert {name: spec["stages"]["game"][name] for name in ("length", "batch_size")} == {
        "length": "5 steps",
        "batch_size": 4,
    }
    assert "scored" not in spec, "how the preset did as it is"
    assert "extends" not in spec


def test_options_of_a_schedule_go_through_presets(give: Give) -> None:
    give(low="extends = 'game:a=1,b=1'", high="extends = 'low:b=2'")
    assert recipe_spec("high:c=3")["recipe"] == {"plugin": "gantk:game", "a": "1", "b": "2", "c": "3"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"one": "noise = 'gaussian'"}, r"recipe 'one' \(python, one\.toml\) must name the recipe that it extends"),
        ({"one": "extends = 3"}, "must name the recipe that it extends, as in extends = 'game'"),
        ({"one": "extends ="}, r"recipe 'one' \(python, one\.toml\) is not valid TOML: "),
        ({"one": "extends = 'one'"}, "recipe 'python:one' extends itself: python:one → python:one"),
        (
            {"one": "extends = 'two'", "two": "extends = 'one'"},
            "recipe 'python:one' extends itself: python:one → python:two → python:one",
        ),
    ],
)
def test_a_preset_that_ends_nowhere_is_named(texts: dict[str, Any], said: str, give: Give) -> None:
    give(**texts)
    with pytest.raises(BrokenPlugin, match=said):
        recipe_spec("one")


class Looking(AdaptivePreset):
    """Looks at the data, and says nothing of itself."""

    extends = "low"
    defaults: ClassVar[Mapping[str, Any]] = {"seed": 5}

    def adapt(self, wanted: Wanted) -> Adapted:
        return Adapted({}, {}, {})


def test_a_preset_that_looks_at_the_data_has_the_title_of_what_it_extends(give: Give) -> None:
    give(low="extends = 'dcgan'\ntitle = 'low'\npaper = 'mine'\nseed = 4", high=Looking)
    spec = recipe_spec("high")
    assert (spec["title"], spec["paper"], spec["seed"], spec["preset"]) == ("low", "mine", 5, "high")
    give(top="extends = 'high'")
    with pytest.raises(BrokenPlugin, match="extends 'high', which chooses its values itself: extend another one"):
        recipe_spec("top")
