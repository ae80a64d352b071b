"""What a log line says of an interval: the mean over its steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from clock import Clock

import gantk
from gantk.run.entries import read_log
from gantk.training.averages import Averages
from gantk.training.progress import Silent


def test_a_mean_is_over_the_steps_that_had_the_value_since_the_last() -> None:
    averages = Averages()
    assert averages.take() == {}
    averages.add({"a": torch.tensor(1.0), "b": torch.tensor(5.0)})
    averages.add({"a": torch.tensor(2.0)})
    averages.add({"a": torch.tensor(6.0), "b": torch.tensor(6.0)})
    assert averages.take() == {"a": 3.0, "b": 5.5}
    assert averages.take() == {}
    averages.add({"b": torch.tensor(7.0)})
    assert averages.take() == {"b": 7.0}


def test_values_are_kept_as_they_were() -> None:
    averages, value = Averages(), torch.tensor(1.0)
    averages.add({"a": value})
    value.fill_(9)
    averages.add({"a": torch.tensor(3.0)})
    assert averages.take() == {"a": 2.0}


def test_a_log_line_is_the_mean_of_the_steps_of_its_interval(tiny: Callable[..., gantk.Model], tmp_path: Path) -> None:
    logs = []
    for every in (1, 4):
        run = tmp_path / str(every)
        gantk.train(tiny(settings={"train.log_every": every}), run, progress=Silent())
        logs.append([json.loads(line)["values"] for line in (run / "log.jsonl").read_text().splitlines()])
    single, joined = logs
    assert (len(single), len(joined)) == (6, 2)
    for name in single[0]:
        assert joined[0][name] == pytest.approx(sum(values[name] for values in single[:4]) / 4)
        assert joined[1][name] == pytest.approx(sum(values[name] for values in single[4:]) / 2)


def test_a_weight_that_is_always_the_same_is_logged_as_it_is() -> None:
    averages = Averages()
    for _ in range(50):
        averages.add({"hidden": torch.tensor(2.0), "hidden/weight": 0.1})
    assert averages.take() == {"hidden": 2.0, "hidden/weight": 0.1}


def test_seconds_go_on_after_a_resume() -> None:
    now = 100.0
    averages = Averages(clock=lambda: now)
    now = 107.0
    assert averages.seconds == 7.0
    state = averages.state()
    now = 2000.0
    resumed = Averages(state, clock=lambda: now)
    now = 2001.0
    assert (state["seconds"], resumed.seconds) == (7.0, 8.0)


def test_the_seconds_of_a_stage_begin_with_it(
    tiny: Callable[..., gantk.Model], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ticking(Silent):
        def step(self) -> None:
            clock.now += 20

    monkeypatch.setattr(Averages.__init__, "__defaults__", (*(Averages.__init__.__defaults__ or ())[:-1], clock))
    settings = {"stages.*.length": "2 steps", "train.log_every": 1}
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", settings=settings)
    gantk.train(model, tmp_path / "run", progress=Ticking())
    assert [entry["stage_seconds"] for entry in read_log(tmp_path / "run" / "log.jsonl")] == [20, 40, 20, 40]
