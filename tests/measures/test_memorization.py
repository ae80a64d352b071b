"""Copies of training images are caught, and new images are not."""

from __future__ import annotations

import pytest
import torch
from sides import SHAPE, comparison, images, of_images
from torch import Tensor

from gantk.data import ArraySource
from gantk.errors import UsageError
from gantk.measures import Comparison, Side, measure, memorization, nearest_training
from gantk.testing.toys import ToyExtractor
from gantk_metrics.memorization import MemorizationMetric


def features(n: int, seed: int, dim: int = 10) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def distances(one: Tensor, other: Tensor) -> Tensor:
    return (one[:, None].double() - other[None].double()).square().sum(2).sqrt()


def test_nearest_training_image_is_the_definition() -> None:
    training, samples = features(80, 0), features(50, 1)
    found = nearest_training(samples, training)
    between, within = distances(samples, training), distances(training, training).fill_diagonal_(torch.inf)
    assert torch.equal(found.index, between.argmin(1))
    assert torch.allclose(found.distance, between.amin(1), rtol=1e-12)
    assert torch.allclose(found.spacing, within.amin(1)[found.index], rtol=1e-12)
    assert memorization(training, samples).memorized == found.copied.double().mean()


def test_baseline_without_held_out_images_takes_each_training_image_out() -> None:
    training = features(60, 0)
    copied = []
    for index in range(60):
        rest = torch.cat([training[:index], training[index + 1 :]])
        copied.append(bool(nearest_training(training[index : index + 1], rest).copied))
    assert memorization(training, features(90, 1)).baseline == pytest.approx(sum(copied) / 60)


def test_baseline_of_held_out_images_is_that_without_them() -> None:
    found = memorization(features(2000, 0), features(500, 1), rng=rng())
    with_held_out = memorization(features(2000, 0), features(500, 1), features(500, 2))
    assert found.baseline == pytest.approx(with_held_out.baseline, abs=0.08)
    for each in (found, with_held_out):
        assert each.memorized == pytest.approx(each.baseline, abs=0.08), "new samples are like new images"
        assert each.near_copies < 0.04


@pytest.mark.parametrize("noise", [0.0, 1e-7, 0.05])
def test_a_generator_that_replays_training_images_is_caught(noise: float) -> None:
    training = features(2000, 0)
    replayed = training[:300] + noise * features(300, 3)
    found = memorization(training, replayed, rng=rng())
    assert found.memorized == 1
    assert found.near_copies > 0.99
    assert found.baseline < 0.7
    half = memorization(training, torch.cat([replayed, features(300, 4)]), rng=rng())
    assert half.near_copies == pytest.approx(0.5, abs=0.03)


def test_copies_are_caught_where_training_images_are_there_twice() -> None:
    once = features(100, 0)
    training = torch.cat([once, once])
    assert memorization(training, once, features(50, 1)).memorized == 1
    assert memorization(training, once * (1 + 1e-6), features(50, 1)).near_copies == 1, "but for rounding"
    new = memorization(training, features(50, 2), features(50, 1))
    assert new.memorized == 0
    assert new.near_copies == 0


def test_metric_of_new_images_is_the_baseline() -> None:
    torch.manual_seed(0)
    found = measure(MemorizationMetric(), comparison(real=900, generated=600))
    assert found["memorized"] == pytest.approx(found["memorized_baseline"], abs=0.08)
    assert found["near_copies"] < 0.04


def test_metric_catches_a_replay_of_images() -> None:
    torch.manual_seed(0)
    extractor = ToyExtractor(SHAPE).eval()
    training = images(200, 1, torch.arange(200) % 3)
    replayed = of_images(training[torch.arange(120) * 7 % 200], "replayed", extractor=extractor)
    found = measure(MemorizationMetric(), Comparison(Side(ArraySource(training), extractor), replayed))
    assert found["near_copies"] == 1
    assert found["memorized"] == 1


def test_too_few_training_images_are_refused() -> None:
    with pytest.raises(UsageError, match="3 training images are needed"):
        nearest_training(features(5, 0), features(2, 0))
    with pytest.raises(UsageError, match=r"\[5, 10\] and \[9, 3\]"):
        nearest_training(features(5, 0), features(9, 0, dim=3))
