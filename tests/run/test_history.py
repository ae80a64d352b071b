"""What was changed in a run: differences of settings, undone in any number, and kept in a file that people can read."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gantk.errors import RunError
from gantk.run.folder import Run
from gantk.run.history import Change, add_change, difference, leaves, read_history, undone

ONE: dict[str, Any] = {
    "seed": 0,
    "stages": {"game": {"length": "5 epochs", "d": {"lr": 1.0, "b": 0.5}}},
    "old": {"a": 1},
}
OTHER: dict[str, Any] = {"seed": 0, "stages": {"game": {"length": "9 epochs", "d": {"lr": 1.0}}}, "new": {"b": 2}}


def test_a_difference_holds_what_differs_and_nothing_else() -> None:
    assert difference(ONE, OTHER) == (
        {"stages": {"game": {"length": "5 epochs", "d": {"b": 0.5}}}, "old": {"a": 1}},
        {"stages": {"game": {"length": "9 epochs", "d": {}}}, "new": {"b": 2}},
    )
    assert difference(ONE, deepcopy(ONE)) == ({}, {})


def test_a_table_that_was_or_becomes_empty_is_replaced_as_a_whole() -> None:
    assert difference({"a": {}}, {"a": {"b": 1}}) == ({"a": {}}, {"a": {"b": 1}})
    assert difference({"a": {"b": 1}}, {"a": {}}) == ({"a": {"b": 1}}, {"a": {}})
    assert difference({"a": 1}, {"a": {"b": 1}}) == ({"a": 1}, {"a": {"b": 1}})


STATES: list[dict[str, Any]] = [ONE, OTHER, {"seed": 1}, {"stages": {"game": 3}}, {"stages": {}}, ONE]


@pytest.mark.parametrize("back", range(len(STATES)))
def test_changes_are_undone_one_after_another(back: int) -> None:
    changes = [Change(k, *difference(a, b)) for k, (a, b) in enumerate(pairwise(STATES))]
    before = deepcopy(STATES[-1])
    assert undone(STATES[-1], changes[back:]) == STATES[back]
    assert STATES[-1] == before, "what is valid now stays as it is"


def test_leaves_are_settings_by_their_paths() -> None:
    assert leaves(ONE) == {
        "seed": 0,
        "stages.game.length": "5 epochs",
        "stages.game.d.lr": 1.0,
        "stages.game.d.b": 0.5,
        "old.a": 1,
    }
    assert leaves({"length": 1}, "stages.game") == {"stages.game.length": 1}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def test_changes_are_kept_in_order_with_their_time(run: Run) -> None:
    assert read_history(run) == []
    add_change(run, Change(3, {"a": 1}, {"a": 2}))
    returned = add_change(run, Change(5, {}, {"b": [1, 2]}))
    found = read_history(run)
    assert found == returned
    assert [(each.step, each.was, each.now) for each in found] == [(3, {"a": 1}, {"a": 2}), (5, {}, {"b": [1, 2]})]
    assert all(each.time.startswith("20") and each.time.endswith("+00:00") for each in found)
    assert (run.path / "history.toml").read_text().startswith("# What was changed")


def test_a_change_before_a_later_one_has_happened_first(run: Run) -> None:
    """A run was changed at step 8, then resumed from step 5 and changed there: both are valid from 5 on."""
    add_change(run, Change(2, {"a": 0}, {"a": 1}))
    add_change(run, Change(8, {"a": 1}, {"a": 2}))
    add_change(run, Change(5, {"a": 2}, {"a": 3}))
    assert [(each.step, each.now) for each in read_history(run)] == [(2, {"a": 1}), (5, {"a": 2}), (5, {"a": 3})]


def change(step: object = 1, was: str = "{}", now: str = "{}") -> str:
    return f"[[change]]\nstep = {step}\nwas = {was}\nnow = {now}"


@pytest.mark.parametrize(
    "content",
    [
        *("change = 3", "[", "other = 1", "\xff", "[[change]]\nstep = 1"),
        *(change(step="'x'"), change(step="true"), change(step=-1), change(step=1.0)),
        *(change(was="3"), change(now="[]")),
    ],
)
def test_a_damaged_history_is_named(run: Run, content: str) -> None:
    (run.path / "history.toml").write_bytes(content.encode("latin-1"))
    with pytest.raises(RunError, match=r"history\.toml is damaged"):
        read_history(run)


def test_a_history_that_cannot_be_read_is_named(run: Run) -> None:
    (run.path / "history.toml").mkdir()
    with pytest.raises(RunError, match=r"history\.toml cannot be read: it is a folder"):
        read_history(run)


def test_a_change_before_the_first_step_needs_no_time(run: Run) -> None:
    (run.path / "history.toml").write_text(change(step=0, was="{a = 1}", now="{a = 2}"))
    assert read_history(run) == [Change(0, {"a": 1}, {"a": 2})]


def test_what_is_undone_shares_nothing_with_the_history() -> None:
    was: dict[str, Any] = {"a": {"b": [1]}}
    found = undone({"a": 3}, [Change(1, was, {"a": 3})])
    found["a"]["b"].append(2)
    assert was == {"a": {"b": [1]}}


def test_what_no_longer_is_a_table_is_put_back_as_one() -> None:
    assert undone({"a": 3}, [Change(1, {"a": {"b": 1}}, {"a": {"b": 2}})]) == {"a": {"b": 1}}
