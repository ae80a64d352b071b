"""Setting aside what training wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_runs import made

from gantk.run.aside import half_set_aside, set_aside, set_damaged_aside
from gantk.run.folder import Run


def test_setting_aside_makes_a_run_of_its_own_and_overwrites_none(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    assert set_aside(run) is None
    for number in (1, 2):
        run.checkpoint(number).mkdir(parents=True)
        (run.path / "history.toml").write_text("")
        (run.path / "notes.txt").write_text("mine")
        aside = set_aside(run)
        assert aside == run.path / f"old-{number}"
        assert Run(aside).steps() == [number]
        assert Run(aside).spec() == run.spec()
        assert sorted(entry.name for entry in aside.iterdir()) == ["checkpoints", "history.toml", "model.toml"]
        assert (run.path / "notes.txt").read_text() == "mine"
        assert run.steps() == []


def test_setting_aside_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are moved last, so that until then the run is what it was."""
    run = made(tmp_path / "run", 1)
    (run.path / "log.jsonl").write_text("mine")
    usual, moved = Path.rename, []

    def stopped(path: Path, to: Path) -> Path:
        moved.append(path.name)
        if path.name == "checkpoints":
            raise KeyboardInterrupt
        return usual(path, to)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        set_aside(run)
    assert (moved, run.steps(), half_set_aside(run)) == (["log.jsonl", "checkpoints"], [1], True)
    monkeypatch.setattr(Path, "rename", usual)
    aside = set_aside(run)
    assert aside == run.path / "old-1"
    assert (Run(aside).steps(), (aside / "log.jsonl").read_text()) == ([1], "mine")
    assert not half_set_aside(run)


def test_all_that_training_writes_is_moved(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    for name in ("log.jsonl", "history.toml", "metrics.json", "report.html"):
        (run.path / name).write_text(name)
    for name in ("samples", "tensorboard"):
        (run.path / name).mkdir()
    aside = set_aside(run)
    assert aside is not None
    assert [entry.name for entry in run.path.iterdir() if entry != aside] == ["model.toml"]
    assert len(list(aside.iterdir())) == 7


def test_a_link_that_leads_nowhere_takes_a_number_too(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 1)
    os.symlink(tmp_path / "nowhere", run.path / "old-1")
    assert set_aside(run) == run.path / "old-2"
    assert (run.path / "old-1").is_symlink()


def test_damaged_checkpoints_are_all_kept(tmp_path: Path) -> None:
    run, found = made(tmp_path / "run"), []
    for number in (1, 2, 3):
        run.checkpoint(6).mkdir(parents=True)
        (run.checkpoint(6) / "content").write_text(str(number))
        found.append(set_damaged_aside(run.checkpoint(6)))
    assert [each.name for each in found] == [f"damaged-step-0000006{end}" for end in ("", "-2", "-3")]
    assert [(each / "content").read_text() for each in found] == ["1", "2", "3"]
    assert run.steps() == []
