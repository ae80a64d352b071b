"""The lock of a run."""

from __future__ import annotations

import errno
from pathlib import Path
from unittest import mock

import pytest
from made_runs import made

from gantk.errors import GantkWarning
from gantk.run.lock import locked


def test_without_locks_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, none = made(tmp_path / "run"), OSError(errno.ENOLCK, "No locks available")
    monkeypatch.setattr("gantk.locks.Lock.acquire", mock.Mock(side_effect=none))
    with (
        pytest.warns(GantkWarning, match="is on a file system without locks: make sure"),
        locked(run),
    ):
        pass
    monkeypatch.setattr("gantk.locks.Lock.acquire", mock.Mock(side_effect=PermissionError(errno.EACCES, "no")))
    with pytest.raises(PermissionError), locked(run):
        pass
