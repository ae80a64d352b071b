"""Objectives that run away are noticed, and large ones are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor

import gantk
from gantk import Loss, Play
from gantk.training.progress import Silent
from gantk.training.runaway import Runaway

Build = Callable[..., gantk.Model]


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class Unbounded(Loss):
    """A game whose scores nothing bounds: each player is rewarded for larger ones, cubed."""

    adversarial = True
    needs = frozenset({"logits"})

    def discriminator(self, play: Play) -> Tensor:
        assert play.real_verdict.logits is not None
        return -(play.real_verdict.logits.abs() ** 3).mean()

    def generator(self, play: Play) -> Tensor:
        assert play.fake_verdict.logits is not None
        return -play.fake_verdict.logits.mean()


def warned(model: gantk.Model, folder: Path) -> list[str]:
    heard = Heard()
    gantk.train(model, folder, progress=heard)
    return [line for line in heard.lines if "running away" in line]


def test_an_objective_without_bound_is_told_once(tiny: Build, tmp_path: Path) -> None:
    settings = {"stages.game.length": "40 steps", "stages.game.discriminator.lr": 0.02}
    (line,) = (line for line in warned(tiny("dcgan", settings, loss=Unbounded), tmp_path / "run") if "of discr" in line)
    assert "warning: the objective of discriminator is running away: -" in line
    assert "\n" not in line


@pytest.mark.parametrize("recipe", ["dcgan", "wgan", "wgan-gp", "vae"])
def test_presets_raise_no_alarm(recipe: str, tiny: Build, tmp_path: Path) -> None:
    assert warned(tiny(recipe), tmp_path / "run") == []


def told_at(*values: float) -> list[int]:
    """The reports, counted from 1, that warn of an objective with these values."""
    watch = Runaway()
    reports = [{"critic/objective": value, "critic/x": value**3} for value in values]
    warnings = [watch.warnings(report) for report in reports]
    assert all(len(lines) <= 1 for lines in warnings)
    return [number for number, lines in enumerate(warnings, 1) if lines]


def test_large_values_are_none_that_run_away() -> None:
    assert told_at(-1e-4, -3e-4, -0.1, -80.0, -300.0, -4e3, -7e3, -9e3) == []  # a critic's estimate, from almost 0
    assert told_at(4e5, 3e5, 2e5, 9e5, 1e6, 1e6, 1e6, 1e6) == []  # sums over the pixels of large images
    assert told_at(9.0, 5.6, -32.5, -120.0, -800.0, -4e3, -1.1e4, -2e4, -5e4, -9e9) == [9]  # AGE, codes of any length


def test_three_reports_in_a_row_are_too_large() -> None:
    assert told_at(3.0, 5.0, 2.0, 4e4, 4e4, 5.0, 5e4, 5e4, 4.0, 6e4, 3.0) == []  # spikes
    assert told_at(3.0, 5.0, 2.0, 4e4, 5.0, 4e4, 4e4, 4e4) == [8]
    assert told_at(3.0, 5.0, 2.0, 4e4, 4e4, 4e4, 5.0, 4e4, 4e4, 4e4, 4e4) == [6], "told once"


@pytest.mark.parametrize("at_first", [(2e4, 1.0, 1.0), (1.0, 2e4, 1.0), (1.0, 1.0, 2e4)])
def test_the_first_three_reports_say_how_large_it_is_at_first(at_first: tuple[float, ...]) -> None:
    assert told_at(*at_first, 1.9e5, 1.9e5, 1.9e5) == []
    assert told_at(*at_first, 2.1e5, 2.1e5, 2.1e5) == [6]
    assert told_at(1.0, 1.0, 1.0, 2e4, 1.9e5, 1.9e5) == [6]
