"""Truncation at sampling: Gaussian noise is kept within a threshold, and other noise is refused."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

import gantk
from gantk.asked import truncated
from gantk.errors import UsageError


def normal(n: int) -> torch.Tensor:
    return torch.randn(n, 1, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("threshold", [0.04, 0.7, 2.0])
def test_numbers_have_the_truncated_normal_distribution(threshold: float) -> None:
    """Its mean is 0, its variance 1 - 2 t φ(t) / erf(t / √2), and it ends at the threshold."""
    found = truncated(normal(200_000), threshold, torch.Generator().manual_seed(1))
    density = math.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * threshold * density / math.erf(threshold / math.sqrt(2))
    assert found.abs().max() <= threshold
    assert found.mean().item() == pytest.approx(0, abs=0.01 * threshold)
    assert found.var().item() == pytest.approx(variance, rel=0.02)


def test_numbers_within_stay() -> None:
    before = normal(100)
    after = truncated(before, 1.0, torch.Generator().manual_seed(1))
    inside = before.abs() <= 1
    assert 0 < inside.sum() < 100
    assert torch.equal(after[inside], before[inside])
    assert torch.equal(truncated(before, 100.0, torch.Generator()), before)


def test_samples_are_truncated(tiny: Callable[..., gantk.Model]) -> None:
    model = tiny(condition="class")
    noise = model.sample_noise(70, 3, condition="along", truncation=0.5)
    own = noise[:, : model.noise.dim]
    assert own.abs().max() <= 0.5
    assert noise[:, model.noise.dim :].tolist() == [[0, 1]] * 70
    assert torch.equal(noise[:40], model.sample_noise(40, 3, condition="along", truncation=0.5))
    assert torch.equal(model.sample(2, 3, truncation=0.5), model.generate(model.sample_noise(2, 3, truncation=0.5)))


@pytest.mark.parametrize("wrong", [0, -1.0, math.inf, math.nan, "0.7", True])
def test_a_threshold_is_a_positive_number(wrong: object, tiny: Callable[..., gantk.Model]) -> None:
    with pytest.raises(UsageError, match=r"a positive number, such as 0\.7, not"):
        tiny().sample(1, truncation=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("noise", ["uniform:dim=6", "sphere:dim=6", "de:dim=6,autoencoder='vae:width=4'"])
def test_other_noise_is_refused(noise: str, tiny: Callable[..., gantk.Model]) -> None:
    name = noise.partition(":")[0]
    with pytest.raises(UsageError, match=rf"this model's noise is '{name}': leave out --truncation"):
        tiny(noise=noise).sample(1, truncation=0.7)
