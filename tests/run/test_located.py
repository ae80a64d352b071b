"""Which run and which checkpoint a path means."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import made

from gantk.errors import UsageError
from gantk.run.located import located


def test_a_path_within_a_run_stands_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path / "runs" / "x", 5)
    monkeypatch.chdir(tmp_path)
    for inside, step in (
        ("runs/x", None),
        ("runs/x/model.toml", None),
        ("runs/x/samples/step-1.png", None),
        ("runs/x/checkpoints", None),
        ("runs/x/checkpoints/step-0000005", 5),
        ("runs/x/checkpoints/step-0000005/model.safetensors", 5),
    ):
        found, named = located(inside)
        assert (found.path, named) == (Path("runs/x"), step)
        assert located(tmp_path / inside)[0].path == run.path
        assert located(inside, 5)[1] == 5
    monkeypatch.chdir(run.checkpoint(5))
    found, named = located(".")
    assert (found.path.resolve(), named) == (run.path.resolve(), 5)
    assert located("../../checkpoints")[0].path.resolve() == run.path.resolve()


def test_a_path_that_is_none_of_a_runs_own_stands_for_itself(tmp_path: Path) -> None:
    run = made(tmp_path / "x", 5)
    for other in (tmp_path / "y", run.path / "old-1", run.path / "old-1" / "checkpoints"):
        assert located(other)[0].path == other
    assert located(tmp_path / "y", 3)[1] == 3


def test_a_checkpoint_and_another_step_contradict_each_other(tmp_path: Path) -> None:
    run = made(tmp_path / "x", 5)
    assert located(run.checkpoint(5), 5)[1] == 5
    with pytest.raises(UsageError, match="is the checkpoint of step 5, but --step is 6"):
        located(run.checkpoint(5), 6)
