"""What is due after so many steps, and after so many minutes at the latest."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

import gantk
from gantk.duration import duration
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.training.due import Due
from gantk.training.progress import Silent


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_comes_within_a_minute_and_later_ones_by_the_minutes() -> None:
    clock = Clock()
    due = Due(1000, 10, clock=clock)
    found = []
    for total in range(1, 200):
        clock.now += 26
        if due(total):
            found.append(round(clock.now))
    assert found[0] == 78
    assert all(600 <= later - sooner <= 626 for sooner, later in itertools.pairwise(found))
    assert len(found) == 9


def test_by_steps_alone() -> None:
    clock = Clock()
    due = Due(3, 0, clock=clock)
    found = []
    for total in range(1, 10):
        clock.now += 1e6
        found.append(due(total))
    assert found == [False, False, True] * 3


def test_what_is_done_by_steps_puts_off_the_minutes() -> None:
    clock = Clock()
    due = Due(2, 1, clock=clock)
    found = []
    for total in range(1, 5):
        clock.now += 40
        found.append(due(total))
    assert found == [False, True, False, True]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a minute"),
        (61, "about 1 minute"),
        (1800, "about 30 minutes"),
        (3600, "about 1 hour"),
        (9000, "about 2.5 hours"),
        (36000, "about 10 hours"),
        (86400 * 12, "about 12 days"),
        (float("nan"), "unknown"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_minutes_are_sixty_seconds_from_the_last_time() -> None:
    clock = Clock()
    due = Due(1000, 10, clock=clock)
    for at, expected in ((59.9, False), (60, True), (659.9, False), (660, True), (661, False), (1260, True)):
        clock.now = at
        assert due(1) == expected
    assert due(1000), "and by steps in between"
    clock.now = 1859
    assert not due(1001)


def test_the_first_does_not_wait_longer_than_the_others() -> None:
    clock = Clock()
    due = Due(1000, 0.5, clock=clock)
    clock.now = 30
    assert due(1)


def test_training_is_logged_each_minute_and_drawn_and_saved_each_so_many(
    tiny: Callable[..., gantk.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of everything comes within a minute; here each step takes 20 seconds."""
    clock, run = Clock(), Run(tmp_path / "run")

    class Ticking(Silent):
        def step(self) -> None:
            clock.now += 20

    seldom = {f"train.{name}_every": 1000 for name in ("log", "sample", "checkpoint")}
    settings = {**seldom, "train.every_minutes": 2.0, "train.keep": 99, "stages.game.length": "16 steps"}
    monkeypatch.setattr(Due.__init__, "__defaults__", (*(Due.__init__.__defaults__ or ())[:-1], clock))
    gantk.train(tiny(settings=settings), run, progress=Ticking())
    assert [entry["step"] for entry in read_log(run.log_file)] == [3, 6, 9, 12, 15, 16]
    assert [path.stem for path in run.samples] == [f"step-{step:07d}" for step in (3, 9, 15, 16)]
    assert run.steps() == [3, 9, 15, 16]
