"""A loss of power at any moment of saving leaves a whole checkpoint. The long form: tests/drills/power_loss.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from drills.power_loss import Outcome, drill

import gantk
from gantk.run.folder import Run

Build = Callable[..., gantk.Model]


def drilled(build: Build, path: Path, saves: int) -> Outcome:
    model, run = build(generator="dcgan:width=2", discriminator="dcgan:width=2"), Run(path)
    run.create(model.built.spec)
    return drill(model, run, saves)


def test_every_state_of_the_disk_holds_a_whole_checkpoint(tiny: Build, tmp_path: Path) -> None:
    found = drilled(tiny, tmp_path / "run", 2)
    assert found.faults == []
    assert found.states > found.operations > 20


def test_a_save_that_does_not_flush_folders_is_found_out(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above can be believed."""
    monkeypatch.setattr("gantk.run.manifest.flush_folder", lambda path: None)
    monkeypatch.setattr("gantk.run.checkpoints.flush_folder", lambda path: None)
    assert any("step 0 is found instead of (1,)" in fault for fault in drilled(tiny, tmp_path / "run", 1).faults)
