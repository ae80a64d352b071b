"""When training stops before its end, and what is said: by the time, by a signal, and on several devices."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from clock import Clock
from lightning_fabric import Fabric
from torch import Tensor

from gantk import Stage
from gantk.building.train_settings import TrainSettings
from gantk.errors import Interrupted
from gantk.run.checkpoints import Place
from gantk.run.folder import Run
from gantk.training.progress import Silent
from gantk.training.signals import StopRequest
from gantk.training.stopping import LATE, SIGNALS, Stopping

GAME = Stage("game", [])


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def heard() -> Heard:
    return Heard()


Make = Callable[..., Stopping]


@pytest.fixture
def stopping(tmp_path: Path, heard: Heard) -> Make:
    """Makes one, perhaps after a signal."""

    def make(seconds: float | None = None, received: signal.Signals | None = None) -> Stopping:
        request = StopRequest()
        request.signal = received
        return Stopping(Run(tmp_path / "a run"), Fabric(accelerator="cpu", devices=1), request, heard, seconds)

    return make


def test_the_time_is_over_once_so_many_seconds_have_passed(stopping: Make, clock: Clock) -> None:
    limited, free = stopping(10.0), stopping()
    clock.now += 9.5
    assert (limited.asked(), free.asked()) == (0, 0)
    clock.now += 0.5
    assert (limited.asked(), free.asked()) == (LATE, 0)
    assert stopping(0.0).asked() == LATE


def test_a_signal_goes_before_the_time(stopping: Make, clock: Clock) -> None:
    assert stopping(0.0, signal.SIGTERM).asked() == signal.SIGTERM + SIGNALS
    assert all(number + SIGNALS > LATE for number in signal.Signals)


def test_before_the_first_step_only_a_signal_stops(stopping: Make, clock: Clock, tmp_path: Path) -> None:
    stopping().begin()
    stopping(0.0).begin()  # so that every run gets one step further
    with pytest.raises(Interrupted) as caught:
        stopping(received=signal.SIGTERM).begin()
    resume = f"resume with: gantk train '{tmp_path}/a run'"
    assert str(caught.value) == f"stopped by SIGTERM before the first step; {resume}"


def test_what_is_saved_is_told(stopping: Make, heard: Heard, tmp_path: Path) -> None:
    resume = f"resume with: gantk train '{tmp_path}/a run'"
    stopping().tell(LATE, Place(1, 1500, 7500), GAME, 2000)
    assert heard.lines == [f"the time is over: stage 'game' is saved after 1,500 of 2,000 steps; {resume}"]
    stopping().tell(LATE, Place(1, 2000, 8000), GAME, 2000)
    assert len(heard.lines) == 1, "a stage that is finished was not cut short"
    with pytest.raises(Interrupted) as caught:
        stopping().tell(signal.SIGINT + SIGNALS, Place(1, 2000, 8000), GAME, 2000)
    assert str(caught.value) == f"stopped by SIGINT after step 8000, saved; {resume}"
    assert (caught.value.signal_number, caught.value.told) == (signal.SIGINT, False)


@pytest.mark.parametrize("rank", [0, 1])
def test_all_devices_stop_for_what_one_was_asked(rank: int, stopping: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the first one says so."""

    def all_reduce(self: Fabric, data: Tensor, reduce_op: str = "mean") -> Tensor:
        assert reduce_op == "max"
        return torch.maximum(data, torch.tensor(signal.SIGTERM + SIGNALS))

    monkeypatch.setattr(Fabric, "world_size", property(lambda self: 2))
    monkeypatch.setattr(Fabric, "is_global_zero", property(lambda self: rank == 0))
    monkeypatch.setattr(Fabric, "all_reduce", all_reduce)
    with pytest.raises(Interrupted, match="stopped by SIGTERM") as caught:
        stopping().begin()
    assert caught.value.told == (rank != 0)


@pytest.mark.parametrize(("patience", "many"), [(1, "1 measurement"), (2, "2 measurements")])
def test_figures_that_get_no_better_are_told(patience: int, many: str, stopping: Make, heard: Heard) -> None:
    stopping().tell_idle(Place(0, 8, 40), TrainSettings(keep_best="prdc/coverage", patience=patience))
    (line,) = heard.lines
    assert line.startswith(f"stopped at step 40 after {many} of prdc/coverage without a better one; train on with: ")
    assert line.endswith("/a run' --set train.patience=0")
