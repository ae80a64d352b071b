"""Settings by their paths: of parts, of parts in lists, of the seed, and what leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from gantk.building.composition import compose
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
