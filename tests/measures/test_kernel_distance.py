"""The kernel distance: against the definition and other implementations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sides import comparison
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures import kernel_distance, measure, squared_mmd
from gantk_metrics.kernel_distance import KernelMetric


def features(n: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed)) + shift


def test_discrepancy_is_the_definition() -> None:
    one, other = features(9, 0), features(7, 1, shift=0.5)

    def mean(pairs: Any) -> float:
        return float(np.mean([(float(x.double() @ y.double()) / 6 + 1) ** 3 for x, y in pairs]))

    expected = mean(itertools.permutations(one, 2)) + mean(itertools.permutations(other, 2))
    expected -= 2 * mean(itertools.product(one, other))
    assert squared_mmd(one, other) == pytest.approx(expected, rel=1e-12)


def test_discrepancy_is_that_of_torchmetrics() -> None:
    kid: Any = pytest.importorskip("torchmetrics.image.kid", exc_type=ImportError)
    one, other = features(50, 0), features(50, 1, shift=0.5)
    assert squared_mmd(one, other) == pytest.approx(float(kid.poly_mmd(one.double(), other.double())), rel=1e-6)


def test_mean_over_subsets_is_that_of_everything() -> None:
    """It is unbiased at any size of the subsets, and they differ though each is drawn from few samples."""
    one, other = features(600, 0), features(400, 1, shift=0.3)
    whole = squared_mmd(one, other)
    for size, used in ((1000, 200), (40, 40)):
        found = kernel_distance(one, other, size=size, rng=torch.Generator().manual_seed(0))
        assert found.size == used
        assert abs(found.distance - whole) < 4 * found.spread / 10, "4 standard errors of the mean over 100 subsets"
        assert found.spread > 0
    again = kernel_distance(one, other, size=40, rng=torch.Generator().manual_seed(0))
    assert again == found, "the same random seed draws the same subsets"


def test_samples_of_the_same_kind_are_at_zero_and_noise_raises_it() -> None:
    metric = KernelMetric(size=50)
    exact, noisy = (measure(metric, comparison(noise=noise)) for noise in (0, 60))
    assert abs(exact["kernel_distance"]) < 0.3 * noisy["kernel_distance"]
    assert [*exact] == ["kernel_distance", "kernel_distance_spread"]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UsageError, match="needs at least 4 samples"):
        kernel_distance(features(3, 0), features(9, 1))
    with pytest.raises(UsageError, match=r"\[9, 6\] and \[9, 2\]"):
        squared_mmd(features(9, 0), features(9, 0)[:, :2])
