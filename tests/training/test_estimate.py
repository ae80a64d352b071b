"""The estimate of how long a training takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

import gantk
from gantk.cli.build import _time
from gantk.training.estimate import estimate


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
