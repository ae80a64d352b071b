"""The grid of a sweep: what is combined, and what the runs are called."""

from __future__ import annotations

import re

import pytest

from gantk.errors import UsageError
from gantk.sweeps.folder import spec_of
from gantk.sweeps.grid import Grid, alternatives, seeds_of


def names(grid: Grid) -> list[str]:
    return [cell.name for cell in grid.cells()]


def test_every_combination_is_one_build_named_after_what_varies() -> None:
    grid = Grid(
        "dcgan|wgan-gp",
        {"noise": "de:dim=64", "loss": ("hidden|code:loops=2",)},
        ["stages.game.*.lr=1e-4 | 2e-4", "train.ema=0.9"],
        [0, 1],
    )
    cells = grid.cells()
    assert len(cells) == 2 * 2 * 2 * 2
    assert cells[3].name == "dcgan,loss=hidden,lr=2e-4,seed=1"
    assert cells[3].settings == ("stages.game.*.lr=2e-4", "train.ema=0.9")
    assert cells[-1].name == "wgan-gp,loss=code-loops=2,lr=2e-4,seed=1"
    assert (cells[-1].recipe, cells[-1].parts, cells[-1].seed) == (
        "wgan-gp",
        {"noise": "de:dim=64", "loss": ("code:loops=2",)},
        1,
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [([], "32-true"), (["train.precision=bf16-mixed"], "bf16-mixed"), (["train.precision = auto"], "auto")],
)
def test_builds_that_are_compared_compute_in_the_same_precision(settings: list[str], expected: str) -> None:
    """Each by itself would take what it finds to be the fastest when it begins."""
    small = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4", "data": "digits"}
    (cell,) = Grid("dcgan", small, settings, [0]).cells()
    assert spec_of(cell, ())["train"]["precision"] == expected


def test_nothing_is_an_alternative_of_a_part() -> None:
    grid = Grid(None, {"refiner": "|denoiser"}, [], [0])
    assert names(grid) == ["refiner=none,seed=0", "refiner=denoiser,seed=0"]
    assert [cell.parts for cell in grid.cells()] == [{}, {"refiner": "denoiser"}]


def test_settings_of_one_name_are_told_apart_by_their_paths() -> None:
    grid = Grid(None, {}, ["stages.game.generator.lr=1|2", "stages.game.discriminator.lr=3|4"], [5])
    assert names(grid)[0] == "stages.game.generator.lr=1,stages.game.discriminator.lr=3,seed=5"


def test_names_are_those_of_folders_on_any_system() -> None:
    grid = Grid(None, {"data": "folder:path='a b/c*?'|" + "x" * 300}, [], [0])
    for name in names(grid):
        assert re.fullmatch(r"[\w.+=,-]{1,160}", name)


def test_two_runs_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match=r"two runs of this sweep would have the name data=a-b,seed=0"):
        Grid(None, {"data": "a b|a/b"}, [], [0]).cells()
    with pytest.raises(UsageError, match=r"1,000,000 runs; expected 1 to 10,000"):
        Grid(None, {}, [f"a.{n}=1|2|3|4|5|6|7|8|9|10" for n in range(5)], range(10)).cells()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1e-4|2e-4", ("1e-4", "2e-4")),
        ("one", ("one",)),
        ("a | b|a", ("a", "b")),
        ("'a|b'|c", ("'a|b'", "c")),
        ('"a|b"', ('"a|b"',)),
        ("it's|fine", ("it's", "fine")),
        ("|x", ("", "x")),
    ],
)
def test_alternatives(text: str, found: tuple[str, ...]) -> None:
    assert alternatives(text) == found


@pytest.mark.parametrize(
    ("text", "found"), [("0:3", [0, 1, 2]), ("3", [0, 1, 2]), ("2:4", [2, 3]), ("0,4,7", [0, 4, 7]), ("5,", [5])]
)
def test_seeds(text: str, found: list[int]) -> None:
    assert seeds_of(text) == found


@pytest.mark.parametrize("text", ["", "a", "3:3", "0", "-1:2", "0:1:2", "1.5", "0:99999999999", "9" * 5000])
def test_what_is_no_seeds(text: str) -> None:
    with pytest.raises(UsageError, match=r"--seeds .*0:3"):
        seeds_of(text)
