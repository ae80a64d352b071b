"""Presets that look at the data: what they are shown, what becomes of their choices, and what the user's own do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

import gantk
from gantk import registry
from gantk.building.adaptive import Asked
from gantk.duration import seconds_of
from gantk.errors import BrokenPlugin, OptionError, UsageError
from gantk.recipe import Adapted, AdaptivePreset, Wanted


class Looking(AdaptivePreset):
    """Keeps what it is shown; its length is one step a second."""

    title = "By the data"
    extends = "dcgan"
    defaults: ClassVar[Mapping[str, Any]] = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
    size = 16
    shown: ClassVar[list[Wanted]] = []

    def adapt(self, wanted: Wanted) -> Adapted:
        self.shown.append(wanted)
        length = {"game": {"length": f"{wanted.seconds:.0f} steps", "batch_size": 4}}
        return Adapted(
            {"noise": "gaussian:dim=7", "stages": length}, {"noise": "seven: a reason."}, {"size": 12, "color": "gray"}
        )


@pytest.fixture(autouse=True)
def looking() -> Iterator[None]:
    Looking.shown.clear()
    registry.give("recipe", "looking", lambda: Looking, thing=Looking, listed=True)
    yield
    del registry._given["recipe", "looking"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures of 40×30 and 30×40 pixels."""
    rng = np.random.default_rng(0)
    for index in range(8):
        shape = (40, 30, 3) if index % 2 else (30, 40, 3)
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(tmp_path / f"{index}.png")
    return tmp_path


def test_what_it_chose_is_a_plain_spec_with_its_reasons(folder: Path) -> None:
    model = gantk.build("looking", data=folder, time="2min")
    (wanted,) = Looking.shown
    assert (wanted.data.image_shape, "size" in wanted.options, wanted.seconds) == ((3, 16, 16), True, 120.0)
    assert sorted(set(wanted.data.original_shapes(range(8)))) == [(3, 30, 40), (3, 40, 30)]
    spec = model.built.spec
    assert (model.image_shape, model.noise_dim, spec["preset"]) == ((1, 12, 12), 7, "looking")
    assert spec["recipe"]["plugin"] == "gantk:game"
    assert spec["title"] == "By the data", "not changed by what it chose itself"
    assert spec["stages"]["game"]["length"] == "120 steps"
    assert model.built.notes[0] == "seven: a reason."


def test_the_users_own_values_go_over_it(folder: Path) -> None:
    model = gantk.build(
        "looking", data=f"{folder}:size=20", noise="gaussian:dim=9", settings={"stages.game.length": "3 steps"}
    )
    assert (model.image_shape, model.noise_dim) == ((1, 20, 20), 9), "its size is the user's, its color the preset's"
    assert model.built.spec["stages"]["game"]["length"] == "3 steps"
    assert "seven: a reason." not in model.built.notes
    assert int(Looking.shown[0].parts["noise"]["dim"]) == 9
    assert "size" not in Looking.shown[0].options
    assert Looking.shown[0].seconds == Looking.seconds


def test_settings_of_the_data_count_when_it_is_looked_at(folder: Path) -> None:
    model = gantk.build("looking", data=folder, settings={"data.size": 20, "noise.dim": 9}, time=5)
    (wanted,) = Looking.shown
    assert (wanted.data.image_shape, "size" in wanted.options) == ((3, 20, 20), False)
    assert (model.image_shape, model.noise_dim) == ((1, 20, 20), 9)


@pytest.mark.parametrize(
    "otherwise", [{"settings": {"noise.dim": 7}}, {"settings": {"noise.dim": 9}}, {"noise": "uniform"}]
)
def test_a_reason_for_what_the_user_chose_is_not_told(otherwise: Any) -> None:
    images = np.zeros((6, 1, 16, 16), dtype=np.uint8)
    assert "seven: a reason." not in gantk.build("looking", data=images, time=1, **otherwise).built.notes
    other = gantk.build("looking", data=images, time=1, loss="hinge", settings={"stages.*.length": "2 steps"})
    assert "seven: a reason." in other.built.notes


SPEC = {
    "noise": {"plugin": "gantk:gaussian", "dim": 7},
    "loss": [{"plugin": "gantk:hinge"}, {"plugin": "gantk:hidden"}],
    "stages": {"game": {"length": "5 steps"}},
}


@pytest.mark.parametrize(
    ("what", "asked", "says"),
    [
        ("noise", Asked({"noise": {}}, (), ()), True),
        ("noise", Asked({"generator": {}}, (), ()), False),
        ("noise.dim", Asked({"noise": {}}, (), ()), True),
        ("noise", Asked({}, (), ["noise.dim"]), True),
        ("noise", Asked({}, (), ["noises.dim", "noise-dim", "generator.noise.dim"]), False),
        ("noise", Asked({}, ["noise"], ()), True),
        ("noise", Asked({}, ["gaussian"], ()), True),
        ("noise", Asked({}, ["hinge"], ()), False),
        ("loss", Asked({}, ["hidden"], ()), True),
        ("stages.game.length", Asked({}, (), ["stages.game.length"]), True),
        ("stages.game.length", Asked({}, (), ["stages.*.length"]), True),
        ("stages.game.length", Asked({}, (), ["stages.game.batch_size", "stages.game"]), False),
        ("data.size", Asked({"data": {}}, (), ()), False),
        ("data.size", Asked({"data": {}}, (), ["data.size"]), True),
        ("refiner", Asked({}, ["denoiser"], ()), False),
    ],
)
def test_what_a_user_chose_is_told_from_what_was_chosen_for_them(what: str, asked: Asked, says: bool) -> None:
    assert asked.says(what, SPEC) == says


class Modest(Looking):
    """Chooses no options of the data."""

    def adapt(self, wanted: Wanted) -> Adapted:
        return Adapted({**super().adapt(wanted).preset}, {}, {})


def test_data_without_a_size_is_looked_at_as_it_is() -> None:
    registry.give("recipe", "modest", lambda: Modest, thing=Modest, listed=True)
    try:
        gantk.build("modest", data="digits", time=5, seed=3, noise="gaussian:dim=4")
    finally:
        del registry._given["recipe", "modest"]
    (wanted,) = Looking.shown
    assert (wanted.data.image_shape, "size" in wanted.options, set(wanted.parts)) == ((1, 28, 28), False, {"noise"})


def test_arrays_are_looked_at_as_they_are() -> None:
    model = gantk.build("looking", data=np.zeros((6, 1, 16, 16), dtype=np.uint8), time=5)
    assert (Looking.shown[0].options, model.image_shape) == (frozenset(), (1, 16, 16))
    assert model.built.spec["stages"]["game"]["length"] == "5 steps"


def test_a_preset_of_values_cannot_extend_one_that_chooses() -> None:
    registry.give("recipe", "after", lambda: "extends = 'looking'", thing="after", listed=True)
    try:
        with pytest.raises(BrokenPlugin, match="extends 'looking', which chooses its values itself"):
            gantk.build("after", data=np.zeros((6, 1, 16, 16), dtype=np.uint8))
    finally:
        del registry._given["recipe", "after"]


def test_other_recipes_have_a_length_of_their_own() -> None:
    with pytest.raises(UsageError, match=r"recipe 'dcgan' has a length of its own: leave out the time"):
        gantk.build(data=np.zeros((6, 1, 16, 16), dtype=np.uint8), time="1h")


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("90s", 90), ("30min", 1800), ("1.5 h", 5400), ("2 Days", 172800), (".5m", 30), (7, 7.0), ("1hour", 3600)],
)
def test_a_time_is_a_duration(time: str | float, seconds: float) -> None:
    assert seconds_of(time) == seconds


@pytest.mark.parametrize(
    "time", ["", "h", "10", "0min", "-1h", "1 year", "1h30", "nan s", float("inf"), -3, True, "1e3s"]
)
def test_what_is_no_time_is_refused(time: Any) -> None:
    with pytest.raises(OptionError, match=r"time is one number with its unit, such as 30min, 1\.5h or 90s, not"):
        seconds_of(time)
