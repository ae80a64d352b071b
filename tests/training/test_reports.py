"""What is told of a stage while it is played: its means, its speed, the time left, and how long it takes, early on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from clock import Clock

from gantk import Player, Stage
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.log import Log
from gantk.training.progress import Silent
from gantk.training.reports import Reports

CPU = torch.device("cpu")


def nothing(step: object) -> Mapping[str, torch.Tensor]:
    return {}


GAME = Stage("game", [Player("critic", ("critic",), nothing, repeats=2)], batch_size=8)
"""Its steps read 16 images."""


class Told(Silent):
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.started: list[tuple[Any, ...]] = []
        self.steps = 0
        self.reports: list[tuple[Mapping[str, float], float, float]] = []
        self.lines: list[str] = []

    def start(self, *stage: Any) -> None:
        self.started.append(stage)

    def step(self) -> None:
        self.steps += 1

    def report(self, values: Mapping[str, float], rate: float, left: float) -> None:
        self.reports.append((values, rate, left))

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_a_line_has_the_means_and_the_speed_since_the_last_one(clock: Clock, tmp_path: Path) -> None:
    told, run = Told(), Run(tmp_path)
    log = Log(run, 20)
    reports = Reports(GAME, 10, 2, {}, CPU, told, log)
    assert told.started == [("game", 10, 2, 16)]
    for done, value in ((3, 1.0), (4, 3.0), (5, 8.0)):
        clock.now += 0.5
        reports.add([{"critic/x": value}, {"critic/x": value}], done)
        if done > 3:
            reports.report(done, 20 + done)
    log.close()
    assert told.steps == 3
    assert told.reports == [({"critic/x": 2.0}, 32.0, 3.0), ({"critic/x": 8.0}, 32.0, 2.5)]
    assert [(line["step"], line["values"]) for line in read_log(run.log_file)] == [
        (24, {"critic/x": 2.0}),
        (25, {"critic/x": 8.0}),
    ]
    first = read_log(run.log_file)[0]
    assert (first["stage"], first["stage_step"], first["stage_images"]) == ("game", 4, 64)
    assert first["images_per_second"] == 32.0


def test_a_speed_has_one_digit_after_its_point(clock: Clock, tmp_path: Path) -> None:
    log = Log(Run(tmp_path), 0)
    reports = Reports(GAME, 10, 0, {}, CPU, Told(), log)
    clock.now += 0.7
    reports.report(1, 1)
    log.close()
    assert read_log(Run(tmp_path).log_file)[0]["images_per_second"] == 22.9


def test_on_other_devices_nothing_is_logged(clock: Clock) -> None:
    told = Told()
    reports = Reports(GAME, 10, 0, {}, CPU, told, None)
    reports.add([{"critic/x": 1.0}], 1)
    reports.report(1, 1)
    assert len(told.reports) == 1


def test_soon_after_the_beginning_the_time_left_is_told_once(clock: Clock) -> None:
    """By the steps since then: those before a resume took no time here."""
    told = Told()
    reports = Reports(GAME, 10_000, 8_000, {}, CPU, told, None)
    for done in range(8_001, 8_005):
        clock.now += 2.4
        reports.add([], done)
        assert len(told.lines) == (done >= 8_003)
    assert told.lines == ["game: about 1.3 hours left on this machine (cpu)"]


def test_after_the_last_step_no_time_is_left(clock: Clock) -> None:
    told = Told()
    reports = Reports(GAME, 1, 0, {}, CPU, told, None)
    clock.now += 60
    reports.add([], 1)
    assert told.lines == []


def test_an_interval_goes_on_after_a_resume(clock: Clock) -> None:
    told = Told()
    before = Reports(GAME, 10, 0, {}, CPU, told, None)
    before.add([{"critic/x": 1.0, "critic/y": torch.tensor(4.0)}], 1)
    after = Reports(GAME, 10, 1, before.state(), CPU, told, None)
    after.add([{"critic/x": 3.0}], 2)
    clock.now += 1
    after.report(2, 2)
    assert told.reports[-1][0] == {"critic/x": 2.0, "critic/y": 4.0}


def test_what_runs_away_is_told_with_its_step(clock: Clock) -> None:
    told = Told()
    reports = Reports(GAME, 99, 0, {}, CPU, told, None)
    for done, size in enumerate([1.0] * 3 + [1e9] * 4, 1):
        clock.now += 0.1
        reports.add([{"critic/objective": size}], done)
        reports.report(done, 50 + done)
    (line,) = told.lines
    assert line.startswith("step 56: warning: the objective of critic is running away: 1e+09")
