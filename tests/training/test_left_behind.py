"""What a training leaves behind, however it ends: no bar that goes on, no half-done change, no thread that writes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

import gantk
from gantk.errors import DataError, Diverged, GantkError, Interrupted
from gantk.run.folder import Run
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


class Shown(Silent):
    """Keeps when a bar begins and ends; fails in a step."""

    def __init__(self, failing: int = 99) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.failing = failing

    def reading(self, done: float) -> None:
        self.calls.append("reads")

    def start(self, stage: str, steps: int, done: int, images_per_step: int) -> None:
        super().start(stage, steps, done, images_per_step)
        self.calls.append(stage)

    def step(self) -> None:
        super().step()
        if self._done == self.failing:
            raise MemoryError

    def finish(self) -> None:
        if self.calls[-1:] != ["ends"]:
            self.calls.append("ends")


def test_every_bar_ends_before_the_next_one_and_before_an_error_is_said(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(progress: Callable[[float], object]) -> None:
        progress(0.5)
        if shown.failing == 0:
            raise DataError("an image cannot be read")

    pretrained: dict[str, Any] = {"noise": "de:dim=6,autoencoder='vae:width=4'"}
    for failing, calls in (
        (99, ["reads", "ends", "pretrain", "ends", "game", "ends"]),
        (3, ["reads", "ends", "pretrain", "ends"]),
        (0, ["reads", "ends"]),
    ):
        shown, model = Shown(failing), tiny(**pretrained)
        monkeypatch.setattr(model.built.data, "prepare", prepare)
        with nullcontext() if failing == 99 else pytest.raises(GantkError):
            gantk.train(model, tmp_path / str(failing), progress=shown)
        assert shown.calls == calls


def test_a_signal_while_images_are_read_stops_before_the_run_is_changed(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(progress: Callable[[float], object]) -> None:
        progress(0.25)
        signal.raise_signal(signal.SIGTERM)
        progress(0.5)
        raise AssertionError("the next image is read")

    model, run = tiny(), Run(tmp_path / "run")
    gantk.train(model, run, progress=Silent())
    monkeypatch.setattr(model.built.data, "prepare", prepare)
    with pytest.raises(Interrupted) as stopped:
        gantk.train(model, run, fresh=True, progress=Silent())
    assert str(stopped.value) == f"stopped by SIGTERM while reading images; {run} is unchanged"
    assert stopped.value.signal_number == signal.SIGTERM
    assert run.steps() == [2, 4, 6]


def test_training_leaves_no_thread_behind_that_writes(tiny: Build, tmp_path: Path) -> None:
    """Nor an open file: a notebook may train many times."""
    gantk.train(tiny(), tmp_path / "first", progress=Silent())
    before = set(threading.enumerate())
    with pytest.raises(Diverged):
        gantk.train(tiny(settings={"stages.game.generator.lr": 1e30}), tmp_path / "failed", progress=Silent())
    gantk.train(tiny(), tmp_path / "second", progress=Silent())
    assert set(threading.enumerate()) == before


def test_weights_that_a_last_step_made_infinite_are_not_saved(tiny: Build, tmp_path: Path) -> None:
    """No later step is there to notice."""
    model = tiny(settings={"train.checkpoint_every": 100, "train.sample_every": 100})
    (weight, *_) = model.generator.parameters()

    class Overflowing(Silent):
        def step(self) -> None:
            super().step()
            if self._done == 6:
                weight.data[0] = torch.inf

    with pytest.raises(Diverged, match=r"^step 6: generator\S+ contains NaN or infinity; there is no checkpoint yet$"):
        gantk.train(model, tmp_path / "run", progress=Overflowing())
    assert Run(tmp_path / "run").steps() == []


def test_after_its_time_a_training_is_saved_and_can_be_resumed(tiny: Build, tmp_path: Path) -> None:
    model, run = tiny(settings={"train.checkpoint_every": 100}), Run(tmp_path / "run")
    gantk.train(model, run, progress=Silent(), time=1e-6)
    assert run.steps() == [1]
    gantk.train(model, run, progress=Silent(), time="1h")
    assert run.steps() == [1, 6]


def test_a_finished_run_keeps_as_many_checkpoints_as_is_said_now(tiny: Build, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    model = gantk.train(tiny(), run, progress=Silent())
    assert run.steps() == [2, 4, 6]
    gantk.train(model, run, settings={"train.keep": 2}, progress=Silent())
    assert run.steps() == [4, 6]


def test_a_signal_in_a_step_is_answered_by_what_is_done_first(
    tiny: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stopped(Silent):
        def step(self) -> None:
            super().step()
            if self._done == 3:
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted, match=r"^stopped by SIGTERM after step 3, saved; resume with"):
        gantk.train(tiny(), tmp_path / "run", progress=Stopped())
    assert capsys.readouterr().err == "gantk: finishing this step and saving; send SIGTERM again to stop at once\n"
    assert Run(tmp_path / "run").steps() == [2, 3]
