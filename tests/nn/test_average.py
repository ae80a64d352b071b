"""Averages of weights against the exponential moving average written out in numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gantk.nn import Average

IMAGES = 10


def followed(weights: list[float], **options: float) -> list[float]:
    """The average after each of these weights."""
    module = nn.Linear(1, 1, bias=False)
    average = Average(module, **options)  # type: ignore[arg-type]
    found = []
    for weight in weights:
        with torch.no_grad():
            module.weight.fill_(weight)
        average.follow(module, IMAGES)
        found.append(average.module.weight.item())
    return found


def by_hand(weights: list[float], decays: list[float]) -> list[float]:
    """The first weight, and then decay · average + (1 - decay) · weight."""
    found = [weights[0]]
    for weight, decay in zip(weights[1:], decays[1:], strict=True):
        found.append(decay * found[-1] + (1 - decay) * weight)
    return found


WEIGHTS = [1.0, 3.0, -2.0, 5.0, 4.0]


def test_a_decay_is_per_step() -> None:
    assert followed(WEIGHTS, decay=0.75) == pytest.approx(by_hand(WEIGHTS, [0.75] * 5))


def test_no_decay_is_the_weight_itself() -> None:
    assert followed(WEIGHTS, decay=0.0) == WEIGHTS


def test_after_a_half_life_a_weight_counts_half() -> None:
    """Four steps of ten images are a half-life of forty."""
    assert followed([1.0, 0.0, 0.0, 0.0, 0.0], half_life=4 * IMAGES)[-1] == pytest.approx(0.5)
    assert followed(WEIGHTS, half_life=25) == pytest.approx(by_hand(WEIGHTS, [0.5 ** (10 / 25)] * 5))


def test_in_warm_up_the_half_life_is_a_share_of_the_images_so_far() -> None:
    """10, 20 and 30 images so far give half-lives of 5, 10 and 15; from 40 on it is the 17 that is set."""
    halves = [0, 5, 10, 15, 17]
    decays = [0.0, *(0.5 ** (10 / half) for half in halves[1:])]
    assert followed(WEIGHTS, half_life=17, warmup=0.5) == pytest.approx(by_hand(WEIGHTS, decays))


def test_a_decay_warms_up_as_well() -> None:
    """Half-lives of 5 and 10 images are decays of a quarter and a half; then the decay that is set is less."""
    decays = [0.0, 0.25, 0.5, 0.6, 0.6]
    assert followed(WEIGHTS, decay=0.6, warmup=0.5) == pytest.approx(by_hand(WEIGHTS, decays))


def test_buffers_are_copied_and_nothing_takes_gradients() -> None:
    module = nn.BatchNorm1d(2)
    average = Average(module, decay=0.9)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    for _ in range(3):
        module(torch.rand(8, 2))
        average.follow(module, 8)
    assert torch.equal(average.module.running_mean, module.running_mean)
    assert int(average.images) == 24
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("warmup", [0.0, 0.5])
def test_a_saved_average_goes_on_as_if_it_had_not_stopped(warmup: float) -> None:
    module = nn.Linear(1, 1)
    one, other = (Average(module, half_life=30, warmup=warmup) for _ in range(2))
    for step in range(6):
        with torch.no_grad():
            module.weight.fill_(step)
        one.follow(module, IMAGES)
        if step < 3:
            other.load_state_dict(one.state_dict())
        else:
            other.follow(module, IMAGES)
    assert torch.equal(one.module.weight, other.module.weight)
