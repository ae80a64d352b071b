"""Shared by the tests of runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import gantk
from gantk.run.folder import Run
from gantk.training.progress import Silent


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run that the tests of a file copy is trained, once."""
    return tmp_path_factory.mktemp("finished") / "run"


@pytest.fixture
def run(finished: Path, tiny: Callable[..., gantk.Model], tmp_path: Path) -> Run:
    """Six steps, with checkpoints of 2, 4 and 6."""
    if not finished.exists():
        gantk.train(tiny(), finished, progress=Silent())
    return Run(shutil.copytree(finished, tmp_path / "run"))
