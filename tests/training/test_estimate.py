"""The estimate of how long a training takes."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

import gantk
from gantk.cli.build import _time
from gantk.schedule import Batch
from gantk.training.estimate import estimate


@pytest.fixture(autouse=True)
def _from_several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users have it; other tests are content with the first step."""
    monkeypatch.setattr("gantk.training.estimate.LONG", 1.0)


def test_every_stage_is_timed_and_the_total_is_their_sum(tiny: Callable[..., gantk.Model]) -> None:
    found = estimate(tiny(noise="de:dim=6,autoencoder='vae:width=2'"))
    assert [*found.stages] == ["pretrain", "game"]
    assert all(0 < seconds < 600 for seconds in found.stages.values())
    assert found.total == pytest.approx(sum(found.stages.values()))
    assert not found.reasons


def test_a_stage_that_cannot_be_timed_is_unknown_and_says_why(tiny: Callable[..., gantk.Model]) -> None:
    def fail(model: gantk.Model) -> None:
        raise ValueError("too few\nimages")

    model = tiny(settings={"train.accelerator": "cpu"})
    model.built.stages[0].enter = fail
    found = estimate(model)
    assert math.isnan(found.total)
    assert found.reasons == {"game": "ValueError: too few images"}
    assert _time(model) == "time: unknown on this machine's CPU (game unknown, ValueError: too few images)"


class Timed:
    """A clock by which a step takes `base` seconds and `each` for each of its images, the very first `first` more."""

    def __init__(self, model: gantk.Model, patch: pytest.MonkeyPatch, base: float, each: float, first: float) -> None:
        self.now, self.base, self.each, self.first = 0.0, base, each, first
        self.sizes: list[int] = []
        data = model.built.data
        assert data is not None
        labels = data.labels
        patch.setattr(data, "labels", lambda indices: [self.sizes.append(len(indices)), labels(indices)][1])
        patch.setattr(sys.modules["gantk.training.estimate"], "time", self)
        model.built.stages[0].each = self.step

    def perf_counter(self) -> float:
        return self.now

    def step(self, model: gantk.Model, done: float) -> None:
        self.now += self.base + self.each * self.sizes[-1] + self.first * (len(self.sizes) == 1)


@pytest.mark.parametrize(
    ("batch", "base", "each", "first", "seconds", "tried"),
    [
        pytest.param(8, 0.25, 0.0625, 0.5, 0.75, [2, 2, 8], id="what every image costs is told from two sizes"),
        pytest.param(32, 0.25, 0.015625, 0.0, 0.75, [2, 2, 8], id="larger batches than are tried"),
        pytest.param(2, 0.25, 0.0625, 0.5, 0.375, [2, 2], id="a batch as small as the smallest"),
        pytest.param(1, 0.25, 0.0625, 0.0, 0.3125, [1, 1], id="a batch that is smaller still"),
        pytest.param(16, 2.0, 0.0, 0.0, 16.0, [2], id="a slow step is tried once"),
        pytest.param(16, 0.75, 0.125, 0.0, 2.75, [2, 2, 8], id="a step of a second is no slow one"),
        pytest.param(16, 0.75, -0.0625, 0.0, 0.625, [2, 2, 8], id="larger batches that seem faster cost the same"),
    ],
)
def test_a_step_costs_so_much_and_so_much_for_each_image(
    tiny: Callable[..., gantk.Model],
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    base: float,
    each: float,
    first: float,
    seconds: float,
    tried: list[int],
) -> None:
    model = tiny(settings={"stages.game.batch_size": batch})
    clock = Timed(model, monkeypatch, base, each, first)
    assert estimate(model).stages == {"game": 6 * seconds}
    assert clock.sizes == tried


def test_steps_are_played_as_in_the_middle_of_training(
    tiny: Callable[..., gantk.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny(noise="de:dim=6,autoencoder='vae:width=2'")
    step, game = model.step, model.built.stages[1]
    seen: list[tuple[torch.Tensor, float]] = []
    stood: list[tuple[bool, ...]] = []

    def played(batch: Batch, *values: Any, done: float = 0.0) -> Any:
        seen.append((batch.images, done))
        return step(batch, *values, done=done)

    def entered(model: gantk.Model, done: float) -> None:
        assert done == 0.5
        assert model.discriminator is not None
        noise = any(module.training for module in model.noise.modules())
        stood.append((model.generator.training, model.discriminator.training, noise))
        assert not any(parameter.requires_grad for parameter in model.noise.parameters())

    monkeypatch.setattr(model, "step", played)
    monkeypatch.setattr(game, "each", entered)
    assert not estimate(model).reasons
    assert set(stood) == {(True, True, False)}
    images = torch.cat([images.flatten() for images, _ in seen])
    assert -1 <= images.min() < -0.9
    assert 0.9 < images.max() <= 1
    assert {done for _, done in seen} == {0.5}
