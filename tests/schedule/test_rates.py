"""Schedules of learning rates and weights, at points where their value is known by hand."""

from __future__ import annotations

import math

import pytest

from gantk.errors import OptionError
from gantk.schedule.rates import parse_rate


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("constant", {0: 1, 0.5: 1, 0.999: 1}),
        ("linear", {0: 1, 0.25: 0.75, 0.5: 0.5, 0.9: 0.1}),
        ("linear:start=0.5", {0: 1, 0.5: 1, 0.6: 0.8, 0.75: 0.5, 0.95: 0.1}),
        ("linear:end=0.2", {0: 1, 0.5: 0.6, 0.75: 0.4}),
        ("linear:start=0.5,end=3.0", {0.25: 1, 0.5: 1, 0.75: 2}),
        ("cosine", {0: 1, 0.25: (1 + math.sqrt(0.5)) / 2, 0.5: 0.5, 0.75: (1 - math.sqrt(0.5)) / 2}),
        ("cosine:warmup=0.2", {0: 0, 0.05: 0.25, 0.1: 0.5, 0.2: 1, 0.6: 0.5, 0.8: (1 - math.sqrt(0.5)) / 2}),
        ("cosine:end=0.5", {0: 1, 0.5: 0.75, 0.75: 0.75 - math.sqrt(0.5) / 4}),
        ("step", {0: 1, 0.499: 1, 0.5: 0.1, 0.749: 0.1, 0.75: 0.01, 0.99: 0.01}),
        ("step:at=[0.25],factor=0.5", {0.2: 1, 0.25: 0.5, 0.9: 0.5}),
        ("step:at=[0.5,0.25],factor=2.0", {0.2: 1, 0.25: 2, 0.5: 4}),
        ("step:factor=0.0", {0.4: 1, 0.5: 0, 0.8: 0}),
    ],
)
def test_the_factor_follows_what_is_done(text: str, points: dict[float, float]) -> None:
    rate = parse_rate(text, "lr_schedule")
    assert {done: rate(done) for done in points} == pytest.approx(points, abs=1e-12)


@pytest.mark.parametrize("text", ["linear", "cosine"])
def test_annealing_ends_at_nothing(text: str) -> None:
    assert parse_rate(text, "lr_schedule")(1 - 1e-9) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("linaer", r"lr_schedule: there is no schedule 'linaer'\. Did you mean 'linear'\?"),
        ("linear:begin=0.5", "lr_schedule: linear.*begin"),
        ("linear:start=1.0", r"start must be in \[0, 1\), not 1\.0"),
        ("linear:start=-0.1", r"start must be in \[0, 1\), not -0\.1"),
        ("linear:end=-0.1", "end must be 0 or more, not -0.1"),
        ("cosine:warmup=1.0", r"warmup must be in \[0, 1\), not 1\.0"),
        ("cosine:warmup=-0.1", r"warmup must be in \[0, 1\), not -0\.1"),
        ("cosine:end=-1.0", "end must be 0 or more"),
        ("step:at=[0.0]", r"points in \(0, 1\)"),
        ("step:at=[0.5,1.0]", r"points in \(0, 1\)"),
        ("step:factor=-1.0", "factor must be 0 or more"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        parse_rate(text, "lr_schedule")


@pytest.mark.parametrize("text", ["linear:start=0.0,end=0.0", "cosine:warmup=0.0,end=0.0", "step:factor=0.0"])
def test_the_ends_of_ranges_are_allowed(text: str) -> None:
    assert parse_rate(text, "lr_schedule")(0.0) == 1
