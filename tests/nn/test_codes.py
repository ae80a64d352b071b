"""Posteriors from the outputs of an encoder, and names of sizes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from gantk.nn import divergence_from_normal, gaussian, point, size_list, size_name


def test_the_halves_of_the_outputs_are_mean_and_log_variance() -> None:
    found = gaussian(torch.tensor([[1.0, 2.0, 0.5, 1000.0]]))
    assert found.mean.tolist() == [[1, 2]]
    assert found.log_variance[0, 0] == 0.5
    assert found.log_variance.exp().isfinite().all()


def test_a_sample_of_a_point_is_the_code() -> None:
    codes = torch.tensor([[1.0, -3.0]])
    torch.testing.assert_close(point(codes).sample(), codes, rtol=0, atol=1e-5)


def test_the_divergence_is_that_of_torch() -> None:
    mean, deviation = torch.tensor([[0.0, 1.5]]), torch.tensor([[1.0, 0.2]])
    expected = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0))
    torch.testing.assert_close(divergence_from_normal(mean, 2 * deviation.log()), expected)


def test_the_divergence_of_half_precision_is_finite() -> None:
    found = divergence_from_normal(torch.zeros(1, 1).half(), torch.full((1, 1), 20.0).half())
    assert math.isfinite(found.item())


@pytest.mark.parametrize(("size", "name"), [((28, 28), "28"), ((96, 64), "96x64")])
def test_sizes_in_names(size: tuple[int, int], name: str) -> None:
    assert size_name(size) == name


def test_sizes_in_messages() -> None:
    assert size_list([(7, 7), (14, 15)]) == "7x7, 14x15"
