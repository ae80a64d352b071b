"""Where a run starts and resumes, and what is said of checkpoints that are passed over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from by_hand import rewrite

import gantk
from gantk.building.assembly import assemble
from gantk.data import ArraySource
from gantk.errors import CheckpointError, RunError
from gantk.run.checkpoints import create, load_start, most_for
from gantk.run.folder import Run
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


def resumed(model: gantk.Model, run: Run) -> str:
    """What training says of where it resumes."""
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    gantk.train(model, run, progress=progress)
    (line,) = (each for each in said if "resuming" in each)
    return line


def test_without_a_log_the_names_of_checkpoints_say_how_many_steps_are_lost(run: Run, tiny: Build) -> None:
    run.log_file.unlink()
    (run.latest() / "manifest.json").write_text("damaged")
    assert resumed(tiny(), run).endswith("step-0000004: 2 steps after it are trained again")
    assert resumed(tiny(), run) == f"resuming from {run.checkpoint(6)}"


@pytest.mark.parametrize(
    ("last", "says"), [(5, "1 step after it"), (4, "the steps after it"), (0, "the steps after it")]
)
def test_another_models_checkpoint_does_not_say_how_many(last: int, says: str, run: Run, tiny: Build) -> None:
    def renamed(weights: dict[str, Any]) -> None:
        weights["other"] = weights.pop(next(iter(weights)))

    rewrite(run.latest(), weights=renamed)
    lines = [{"step": step, "stage": "game", "values": {}} for step in range(1, last + 1)]
    run.log_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    line = resumed(tiny(), run)
    assert "step-0000006/model.safetensors does not fit" in line
    assert f"step-0000004: {says}" in line


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"trained": {"generator.width": 8}}, "generator.width was 8 when it was trained and is 4"),
        ({"place": {"stage": 1, "step": 2}}, "it is in stage 2 of 1"),
    ],
)
def test_the_newest_checkpoint_of_this_model_is_resumed_from(
    changed: dict[str, dict[str, Any]], reason: str, run: Run, tiny: Build
) -> None:
    """A checkpoint of other parts, or in a stage that there is not, is passed over."""

    def other(training: dict[str, Any]) -> None:
        for name, values in changed.items():
            training[name].update(values)

    rewrite(run.latest(), training=other)
    line = resumed(tiny(), run)
    assert f"{reason}; resuming from {run.checkpoint(4)}: " in line
    assert run.steps() == [2, 4, 6]


def test_settings_that_a_checkpoint_was_not_trained_with_are_named(run: Run, images: ArraySource) -> None:
    spec = run.spec()
    spec["stages"]["game"]["generator"]["lr"] = 0.5
    run.rewrite(spec)
    with pytest.raises(CheckpointError, match=r"stages\.game\.generator\.lr was 0\.0002"):
        gantk.train(assemble(run.spec(), images), run, progress=Silent())


def test_files_may_be_as_large_as_weights_in_double_precision_and_many_states(tiny: Build) -> None:
    model = tiny()
    size = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    most = most_for(model)
    assert most is not None
    assert most >= 2 * size
    assert most_for(model, states=True) == 8 * most
    assert most_for(None) is None


def test_weights_to_start_from_that_cannot_be_written_are_told(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    model = tiny()
    model.built.spec["start"] = {"run": "other", "step": 3}
    monkeypatch.setattr("gantk.run.checkpoints.Writing.write", full)
    run = Run(tmp_path / "new")
    with pytest.raises(
        RunError, match=rf"start cannot be written: No space left on device; remove {run}, and build it"
    ):
        create(run, model)


def test_a_run_starts_from_the_weights_that_it_was_made_with(tiny: Build, tmp_path: Path) -> None:
    run, model, other = Run(tmp_path / "new"), tiny(), tiny()
    with torch.no_grad():
        next(model.generator.parameters()).fill_(0.5)
    load_start(run, other)  # those of its seed
    for each in (model, other):
        each.built.spec["start"] = {"run": "another", "step": 3}
    create(run, model)
    assert (run.start / "manifest.json").exists(), "which has its checksums"
    load_start(run, other)
    loaded = other.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())
    shutil.rmtree(run.start)
    with pytest.raises(CheckpointError, match=rf"remove {run}, and build it again"):
        load_start(run, other)


def test_a_fresh_start_that_was_stopped_goes_on(run: Run, tiny: Build) -> None:
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    run.aside_folder.mkdir()
    gantk.train(tiny(settings={"stages.game.length": "6 steps"}), run, progress=progress)
    aside = Run(run.path / "old-1")
    assert f"moved the previous checkpoints, samples and logs to {aside}" in said
    assert not [line for line in said if "resuming" in line]
    assert aside.steps() == run.steps() == [2, 4, 6]
