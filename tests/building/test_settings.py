"""Settings by their paths: of parts, of parts in lists, of the seed, and what leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from gantk.building.composition import compose
from gantk.building.settings import flat, path_of
from gantk.building.spec import normalize
from gantk.errors import OptionError


def composed(*settings: str | tuple[str, Any], **chosen: Any) -> dict[str, Any]:
    return compose("dcgan", chosen, settings)


def test_a_loss_of_several_is_set_by_its_name() -> None:
    spec = composed("loss.hidden.weight=0.5", ("loss.nonsaturating.weight", 2.0), loss=["hidden"])
    weights = {loss["plugin"].rpartition(":")[2]: loss.get("weight") for loss in spec["loss"]}
    assert {name: float(weight) for name, weight in weights.items()} == {"nonsaturating": 2.0, "hidden": 0.5}


def test_a_part_and_the_seed_are_set() -> None:
    spec = composed("noise.dim=7", "seed=3", "train.keep=9")
    assert (str(spec["noise"]["dim"]), int(spec["seed"]), str(spec["train"]["keep"])) == ("7", 3, "9")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("loss.hiden.weight=1", r"--set loss\.hiden\.weight: there is no loss 'hiden' here\. Did you mean 'hidden'"),
        ("refiner.width=1", "refiner"),
        ("nois.dim=1", "nois"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(setting: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        composed(setting, loss=["hidden"])


@pytest.mark.parametrize("table", ["stages", "train"])
def test_tables_are_tables(table: str) -> None:
    assert normalize({table: {}}, "the model")[table] == {}
    for wrong in (3, "x", [1]):
        with pytest.raises(OptionError, match=f"the model: '{table}' is a table, not"):
            normalize({table: wrong}, "the model")


def test_tables_within_tables_become_paths_as_deep_as_settings_lie() -> None:
    """What lies deeper is a value."""
    nested = {
        "stages": {"game": {"length": "3 steps", "g": {"lr": 0.5, "weight_schedule": {"hidden": {"deep": 1}}}}},
        "stages.fit": {"batch_size": 4},
        "loss": {"hidden": {"weight": {"deep": 1}}},
        "noise": {"dim": 7, "map": {"deep": 1}},
        "noise.rate": 1,
        "seed": 3,
    }
    assert flat(nested) == [
        ("stages.game.length", "3 steps"),
        ("stages.game.g.lr", 0.5),
        ("stages.game.g.weight_schedule.hidden", {"deep": 1}),
        ("stages.fit.batch_size", 4),
        ("loss.hidden.weight", {"deep": 1}),
        ("noise.dim", 7),
        ("noise.map", {"deep": 1}),
        ("noise.rate", 1),
        ("seed", 3),
    ]
    assert flat(["seed=3", ("noise.dim", 7)]) == ["seed=3", ("noise.dim", 7)]
    assert [path_of(each) for each in (" noise.dim = 7=8", ("noise.dim", 7), "seed")] == [
        "noise.dim",
        "noise.dim",
        "seed",
    ]


@pytest.mark.parametrize(
    "path",
    ["loss.hidden", "loss.hidden.weight.x", "noise", "noise.dim.x", "seed.x", "train.keep.x", "stages.game", "x.y"],
)
def test_a_path_of_another_length_leads_nowhere(path: str) -> None:
    with pytest.raises(OptionError, match=rf"--set {path}: there is no such setting; valid paths are PART\.OPTION"):
        composed(f"{path}=1", loss=["hidden"])


def test_stages_have_settings_at_three_depths() -> None:
    settings = ["stages.game.length=3 steps", "stages.game.generator.lr=0.5"]
    settings += ["stages.game.generator.weight_schedule.hidden=linear", " stages.game.batch_size = 4 "]
    game = composed(*settings)["stages"]["game"]
    assert (game["length"], game["batch_size"]) == ("3 steps", 4)
    assert game["generator"]["lr"] == 0.5
    assert game["generator"]["weight_schedule"] == {"hidden": "linear"}
    with pytest.raises(OptionError, match="there is no such setting"):
        composed("stages.game.generator.weight_schedule.hidden.x=1")


@pytest.mark.parametrize("written", ["=3", " = 3", "seed"])
def test_what_has_no_path_or_no_value_is_no_setting(written: str) -> None:
    with pytest.raises(OptionError, match="--set takes PATH=VALUE, such as"):
        composed(written)
