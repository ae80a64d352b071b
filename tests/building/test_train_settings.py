"""The `train` settings: their ranges, and which averages of weights they ask for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from torch import nn

from gantk.building.train_settings import TrainSettings
from gantk.errors import OptionError

COUNTS = (
    *("log_every", "sample_every", "checkpoint_every", "keep", "samples"),
    *("measure_every", "measure_samples", "devices"),
)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_at_least_one(name: str) -> None:
    assert getattr(TrainSettings(**{name: 1}), name) == 1
    for wrong in (0, -1):
        with pytest.raises(OptionError, match=f"{name} must be at least 1, not {wrong}"):
            TrainSettings(**{name: wrong})


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("ema", [0.0, 0.5, 0.9999], [1.0, -0.1, math.nan]),
        ("ema_half_life", [0, 1, 10_000], [-1]),
        ("every_minutes", [0.0, 0.5], [-0.1, math.inf, math.nan]),
    ],
)
def test_ranges(name: str, allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        TrainSettings(**{name: value})
    for value in refused:
        with pytest.raises(OptionError, match=f"train: {name} must be"):
            TrainSettings(**{name: value})


@pytest.mark.parametrize("warmup", [-0.1, math.inf, math.nan])
def test_a_warm_up_is_a_share_of_the_images(warmup: float) -> None:
    with pytest.raises(OptionError, match="ema_warmup must be"):
        TrainSettings(ema=0.5, ema_warmup=warmup)


def test_a_warm_up_needs_an_average() -> None:
    with pytest.raises(OptionError, match="ema_warmup needs an average"):
        TrainSettings(ema_warmup=0.05)
    for average in ({"ema": 0.5}, {"ema_half_life": 10}):
        assert TrainSettings(ema_warmup=0.05, **average).average() is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"ema": 0.9}, (0.9, 0, 0.0)),
        ({"ema_half_life": 500}, (0.0, 500, 0.0)),
        ({"ema_half_life": 500, "ema_warmup": 0.05}, (0.0, 500, 0.05)),
    ],
)
def test_averages_are_those_that_are_asked_for(settings: dict[str, Any], expected: tuple[float, int, float]) -> None:
    make = TrainSettings(**settings).average()
    if make is None:
        assert expected is None
        return
    average = make(nn.Linear(1, 1))
    assert (average.decay, average.half_life, average.warmup) == expected
