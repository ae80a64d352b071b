"""Code that is given again for what stands in a run as `python:NAME`, and data that are given as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gantk
from gantk import registry
from gantk.building.given import again, give_file, named, source_of
from gantk.construct import construct
from gantk.errors import DataError, OptionError, UsageError
from gantk_classic.losses import NonSaturating
from gantk_classic.noise import Gaussian

IMAGES = np.zeros((8, 1, 8, 8), np.uint8)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given nothing yet."""
    monkeypatch.setattr(registry, "_given", {})


def bright(play: Any) -> Tensor:
    mean: Tensor = play.fake.mean()
    return mean


def dark(play: Any) -> Tensor:
    return -bright(play)


class Drawer:
    """Neither a part, nor a module, nor to be called."""

    def sample(self, n: int) -> Tensor:
        return torch.zeros(n, 2)


def thing(kind: str, name: str) -> Any:
    found = registry.find(kind, f"python:{name}")
    assert isinstance(found, registry.Given)
    return found.thing


TABLES = [{"plugin": "python:bright"}, {"plugin": "gantk:hidden"}, {"plugin": "python:dark"}]


def test_one_part_goes_by_the_name_that_it_has_in_the_run() -> None:
    again("loss", dark, TABLES[:2], "the run")
    assert thing("loss", "bright") is dark
    again("noise", Drawer, {"plugin": "python:drawn"}, "the run")
    assert thing("noise", "drawn") is Drawer


def test_several_go_by_their_own_names() -> None:
    again("loss", [dark, bright], TABLES, "the run")
    assert thing("loss", "bright") is bright
    assert thing("loss", "dark") is dark
    with pytest.raises(UsageError, match=r"^the run has no loss 'darker'\. Did you mean 'dark'\?"):
        again("loss", type("darker", (NonSaturating,), {}), TABLES, "the run")


def test_code_of_a_file_is_given_by_its_name_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def flat(n):\n    import torch\n\n    return torch.zeros(n, 2)\n")
    again("noise", f" {path}:flat ", {"plugin": "python:other"}, "the run")
    assert thing("noise", "other").__name__ == "flat"


class Bright(NonSaturating):
    """A loss with one option, that a run may have written another one of."""


class Dark(Bright):
    """Another one."""


def test_an_instance_takes_the_options_that_the_run_wrote_of_it() -> None:
    tables = [{"plugin": "python:Bright", "scale": 2}, {"plugin": "python:Dark", "shift": 1}]
    dark = Dark()
    again("loss", [Bright(), dark], tables, "the run")
    assert construct("loss", tables[1]) is dark
    with pytest.raises(OptionError, match="loss 'Dark' has no option 'scale'"):
        construct("loss", {"plugin": "python:Dark", "scale": 2})


FILE = """
import torch
from torch import nn, zeros
from torch.nn import Linear

import gantk

WIDTH = 3
_hidden = nn.Linear(2, 2)
network = nn.Linear(2, 2)
drawn = torch.distributions.Normal(torch.zeros(2), 1.0)


def flat(n):
    return zeros(n, 2)


class Mine(nn.Linear):
    pass


@gantk.register("noise", name="dice")
def thrown(n):
    return zeros(n, 2)
"""


def test_a_file_gives_what_it_defines_and_nothing_that_it_imports(tmp_path: Path) -> None:
    path = tmp_path / "mine_with_everything.py"
    path.write_text(FILE)
    give_file(path)
    given = {kind: {name for of, name in registry._given if of == kind} for kind in ("noise", "generator")}
    assert given["generator"] == {"network", "drawn", "flat", "Mine", "thrown"}
    assert given["noise"] == {"network", "drawn", "flat", "Mine", "dice"}, "what it registers has its name there"
    assert [thing("noise", name).__name__ for name in ("flat", "Mine", "dice")] == ["flat", "Mine", "thrown"]
    assert named("noise", thing("noise", "flat")) == {"plugin": "python:flat"}


def test_losses_by_their_roles_are_given_again() -> None:
    roles = {"generator": bright}
    again("loss", roles, [{"plugin": "python:both"}], "the run")
    assert thing("loss", "both") is roles


@pytest.mark.parametrize(
    ("kind", "value", "recorded", "said"),
    [
        ("refiner", Drawer, None, "^the run has no refiner: leave out refiner=…."),
        ("loss", bright, [], "^the run has no loss: leave out loss=…."),
        ("loss", bright, TABLES[1:2], "^the run: its loss is gantk:hidden, which is installed: leave out loss=…"),
        ("noise", "gaussian", {"plugin": "python:mine"}, "^noise: the code of mine is needed here, not 'gaussian'"),
        ("loss", {"generator": 3}, TABLES, "^loss: the code of bright, dark is needed here, not "),
    ],
)
def test_what_the_run_does_not_need_is_refused(kind: str, value: Any, recorded: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        again(kind, value, recorded, "the run")
    assert not registry._given


def test_code_that_is_installed_goes_by_its_name_there() -> None:
    assert named("noise", Gaussian) == {"plugin": "gantk:gaussian"}
    assert named("noise", Gaussian(dim=3)) == {"plugin": "python:gaussian"}
    assert named("noise", Drawer()) == {"plugin": "python:Drawer"}


@pytest.mark.parametrize("value", [{"generator": bright, "weight": 2}, {"weight": 2}])
def test_a_table_with_other_things_than_code_is_no_loss_by_roles(value: Any) -> None:
    assert named("loss", value) == [value]
    assert not registry._given


def test_only_losses_are_told_by_roles() -> None:
    assert named("noise", {"generator": bright}) == {"generator": bright}


@pytest.mark.parametrize(
    "data",
    [
        "digits",
        Path("photos"),
        {"plugin": "digits"},
        ("digits", {"size": 8}),
        ["digits", {}],
        gantk.data.ArraySource,
        lambda: IMAGES,
    ],
)
def test_data_that_are_named_are_opened_by_their_name(data: Any) -> None:
    assert source_of(data) is None


def test_data_that_are_given_are_a_source() -> None:
    for data in (IMAGES, torch.from_numpy(IMAGES), gantk.data.ArraySource(IMAGES), (IMAGES, np.arange(8) % 2)):
        source = source_of(data)
        assert source is not None
        assert (len(source), source.image_shape) == (8, (1, 8, 8))
    for nonsense in ({"images": 3}, ("digits", {"size": 8}, 3)):
        with pytest.raises(DataError):
            source_of(nonsense)
    assert source_of(None) is None
