"""A run's folder: what is there, which checkpoint is meant, and what is not overwritten."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from made_runs import made

import gantk
from gantk.errors import CheckpointError, RunError, UsageError
from gantk.files import create_file
from gantk.run.folder import Run
from gantk.run.places import runs_under


def test_checkpoints_are_in_order_of_their_steps(tmp_path: Path) -> None:
    """Whatever else lies among them, and however long their numbers are."""
    run = made(tmp_path / "run", 9, 12345678, 10)
    run.unfinished(11).mkdir()
    (run.checkpoints_folder / "step-12").write_text("a file")
    (run.checkpoints_folder / "step-x").mkdir()
    (run.checkpoints_folder / "my-step-13").mkdir()
    (run.checkpoints_folder / "step-14-old").mkdir()
    assert run.steps() == [9, 10, 12345678]
    assert [path.name for path in run.checkpoints] == ["step-0000009", "step-0000010", "step-12345678"]
    assert run.latest() == run.at() == run.checkpoint(12345678)
    assert run.at(9) == run.checkpoint(9)
    with pytest.raises(UsageError, match="no checkpoint of step 11; available steps: 9, 10, 12345678"):
        run.at(11)


def test_a_run_that_was_never_trained_says_so(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    assert (run.steps(), run.samples, run.checkpoints, run.log) == ([], [], [], {})
    for step in (None, 3):
        with pytest.raises(CheckpointError, match=r"has not been trained yet: run gantk train \S+run first"):
            run.at(step)


@pytest.mark.parametrize(("keep", "left"), [(1, [4]), (2, [3, 4]), (4, [1, 2, 3, 4]), (9, [1, 2, 3, 4])])
def test_cleaning_keeps_the_newest_and_nothing_unfinished(keep: int, left: list[int], tmp_path: Path) -> None:
    run = made(tmp_path / "run", 1, 2, 3, 4)
    run.unfinished(5).mkdir()
    (run.unfinished(5) / "half").write_text("half")
    run.clean(keep)
    assert sorted(entry.name for entry in run.checkpoints_folder.iterdir()) == [f"step-{k:07d}" for k in left]


def test_cleaning_a_run_without_checkpoints_does_nothing(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run.clean(3)
    assert [entry.name for entry in run.path.iterdir()] == ["model.toml"]


def test_a_place_that_holds_something_is_not_taken(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    Run(taken).check_free()
    (taken / ".unfinished-model.toml").write_text("half")
    Run(taken).create({"seed": 1})
    assert Run(taken).spec() == {"seed": 1}
    with pytest.raises(UsageError, match="already exists"):
        Run(taken).create({"seed": 2})
    assert Run(taken).spec() == {"seed": 1}
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="already exists"):
        Run(tmp_path / "file").check_free()


def test_tables_are_written_in_an_order_that_people_read(tmp_path: Path) -> None:
    spec = {
        "versions": {"gantk": "1"},
        "loss": [{"plugin": "b"}],
        "noise": {"plugin": "a"},
        "seed": 3,
        "recipe": {"x": 1},
    }
    run = Run(tmp_path / "deep" / "run")
    run.create(spec)
    text = run.model_toml.read_text()
    assert run.spec() == spec
    heads = [text.index(head) for head in ("[recipe]", "[noise]", "[versions]")]
    assert heads == sorted(heads)


def test_of_two_that_create_one_run_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "check_free", lambda run: None)  # both have looked before either writes
    Run(tmp_path / "run").create({"seed": 1})
    with pytest.raises(UsageError, match="was created by another process meanwhile: choose another path"):
        Run(tmp_path / "run").create({"seed": 2})
    assert Run(tmp_path / "run").spec() == {"seed": 1}
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["model.toml"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_created_whole_or_not_at_all(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:
        monkeypatch.setattr(os, "link", mock.Mock(side_effect=PermissionError))
    create_file(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "a", b"two")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"a": b"one"}


def test_runs_of_a_folder_are_found_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        made(tmp_path / name)
    (tmp_path / "c").mkdir()
    (tmp_path / "d").write_text("")
    assert runs_under(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert runs_under(tmp_path / "none") == []
    assert runs_under(tmp_path / "d") == []


def test_what_is_no_run_says_what_may_be_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "runs" / "digits")
    made(tmp_path / "runs" / "faces")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"digts is not a run: it has no model.toml; did you mean runs/digits\?"):
        Run("digts").spec()
    with pytest.raises(RunError, match=r"did you mean runs/digits\?"):
        Run("runs/digit").spec()
    with pytest.raises(RunError, match="the runs in it are runs/digits, runs/faces"):
        Run("runs").spec()
    with pytest.raises(RunError, match="create one with gantk build -o nothing"):
        Run("nothing").spec()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").touch()
    with pytest.raises(RunError, match=r"create one with gantk build; gantk list-runs FOLDER shows"):
        Run("photos").spec()
    with pytest.raises(RunError, match=r"it lies in the run /.*/runs/digits\.$"):
        Run("runs/digits/checkpoints").spec()


@pytest.mark.parametrize("what", ["log", "samples", "checkpoints"])
def test_what_is_no_run_has_no_log_and_no_samples(what: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run: it has no model\.toml"):
        getattr(Run(tmp_path / "nothing"), what)


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\x00\xff", b""])
def test_a_damaged_model_toml_is_named(content: bytes, tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run.model_toml.write_bytes(content)
    with pytest.raises(RunError, match=r"model\.toml is damaged"):
        run.spec()


@pytest.mark.parametrize("path", [None, 3, ["runs"]])
def test_what_is_no_path_is_said_in_one_line(path: object) -> None:
    with pytest.raises(UsageError, match="expected a path, such as 'runs/x', not"):
        Run(path)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected a path"):
        gantk.load(path)  # type: ignore[arg-type]
