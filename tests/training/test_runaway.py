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


def test_large_values_are_none_that_run_away() -> None:
    def told(*values: float) -> list[str]:
        watch = Runaway()
        return [line for value in values for line in watch.warnings({"critic/objective": value, "critic/x": 1e9})]

    assert told(-1e-4, -3e-4, -0.1, -80.0, -300.0, -4e3, -7e3, -9e3) == []  # a critic's estimate, from almost nothing
    assert told(4e5, 3e5, 2e5, 9e5, 1e6, 1e6, 1e6, 1e6) == []  # sums over the pixels of large images
    assert told(3.0, 5.0, 2.0, 4e4, 5.0, 5e4, 4.0, 3.0) == []  # spikes
    assert (
        len(told(9.0, 5.6, -32.5, -120.0, -800.0, -4e3, -1.1e4, -2e4, -5e4, -9e9)) == 1
    )  # AGE with codes of any length
