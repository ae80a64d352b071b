"""The Fréchet distance: against closed forms and other implementations, and without the bias of few samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sides import comparison
from torch import Tensor

from gantk.errors import FitError, UsageError
from gantk.measures import Moments, frechet_distance, frechet_estimate, frechet_floor, measure
from gantk_metrics.frechet import FrechetDistance


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, mixing: Tensor, seed: int, shift: float = 0.0) -> Tensor:
    """Gaussian points with covariance mixing · mixingᵀ."""
    return (torch.randn(n, len(mixing), generator=rng(seed), dtype=torch.float64) @ mixing.T + shift).float()


def mixing(dim: int, seed: int) -> Tensor:
    return torch.randn(dim, dim, generator=rng(seed), dtype=torch.float64) / dim**0.5


def by_eigenvalues(one: Tensor, other: Tensor) -> float:
    """The formula as it is written, with the eigenvalues of the product, which has no symmetry."""
    first, second = (np.cov(side.double().numpy(), rowvar=False) for side in (one, other))
    apart = one.double().mean(0) - other.double().mean(0)
    cross = np.sqrt(np.linalg.eigvals(first @ second).real.clip(0)).sum()
    return float(apart @ apart + np.trace(first) + np.trace(second) - 2 * cross)


def test_moments_are_those_of_numpy_in_any_parts() -> None:
    some = points(2500, mixing(7, 1), 2, shift=300.0)
    found = Moments.of(some)
    assert found.count == 2500
    assert np.allclose(found.covariance, np.cov(some.double().numpy(), rowvar=False), rtol=1e-10)
    parts = Moments.of_parts(some, 3, rng())
    assert sorted(part.count for part in parts) == [833, 833, 834]
    whole = parts[0] + parts[1] + parts[2]
    assert torch.allclose(whole.mean, found.mean, rtol=1e-12)
    assert torch.allclose(whole.covariance, found.covariance, rtol=1e-9)


@pytest.mark.parametrize(("dim", "n", "m"), [(5, 300, 40), (48, 700, 1200)])
def test_distance_is_the_formula(dim: int, n: int, m: int) -> None:
    one, other = points(n, mixing(dim, 1), 3), points(m, mixing(dim, 2), 4, shift=0.2)
    found = frechet_distance(Moments.of(one), Moments.of(other))
    assert found == pytest.approx(by_eigenvalues(one, other), rel=1e-8)
    assert frechet_estimate(one, other).distance == pytest.approx(found, rel=1e-10)


def test_distance_of_gaussians_that_scale_each_other_is_known() -> None:
    """|m|² + Σ (√a − √b)² where both covariances have the same axes."""
    axes = torch.linalg.qr(mixing(6, 5)).Q
    a, b = torch.arange(6).double(), torch.tensor([4.0, 0, 1, 9, 2, 3], dtype=torch.float64)
    one, other = (Moments(2, torch.full((6,), c).double(), axes @ s.diag() @ axes.T) for c, s in ((0, a), (2, b)))
    expected = 24 + (a.sqrt() - b.sqrt()).square().sum().item()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-7), "covariances with eigenvalues of 0"
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-12)


def test_distance_is_that_of_scipys_matrix_square_root() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    one, other = points(400, mixing(30, 1), 3), points(500, mixing(30, 2), 4, shift=0.2)
    first, second = (np.cov(side.double().numpy(), rowvar=False) for side in (one, other))
    apart = one.double().mean(0) - other.double().mean(0)
    root = linalg.sqrtm(first @ second).real
    expected = float(apart @ apart) + np.trace(first + second - 2 * root)
    assert frechet_estimate(one, other).distance == pytest.approx(expected, rel=1e-6)


def test_distance_is_that_of_torchmetrics() -> None:
    fid: Any = pytest.importorskip("torchmetrics.image.fid", exc_type=ImportError)
    one, other = points(400, mixing(30, 1), 3), points(500, mixing(30, 2), 4, shift=0.2)
    moments = [(side.double().mean(0), side.double().T.cov()) for side in (one, other)]
    expected = float(fid._compute_fid(*moments[0], *moments[1]))
    assert frechet_estimate(one, other).distance == pytest.approx(expected, rel=1e-6)


def test_extrapolation_takes_the_bias_out() -> None:
    """Of two Gaussians with a known distance: that of few samples is too great, and the extrapolated one is not."""
    axes = torch.eye(20, dtype=torch.float64)
    true, plain, infinite = 20 * 0.25, [], []
    for seed in range(10):
        found = frechet_estimate(points(1000, axes, 2 * seed), points(200, 1.5 * axes, 2 * seed + 1), rng(seed))
        assert found.infinity is not None
        plain.append(found.distance)
        infinite.append(found.infinity)
    assert np.mean(plain) > true + 0.8
    assert abs(np.mean(infinite) - true) < 0.3


def test_floor_is_the_distance_of_other_real_images() -> None:
    some = mixing(20, 1)
    real = points(1000, some, 2)
    floor = frechet_floor(real, 200, rng())
    assert floor is not None
    others = [frechet_distance(Moments.of(real), Moments.of(points(200, some, 10 + seed))) for seed in range(10)]
    assert floor == pytest.approx(np.mean(others), rel=0.15)
    assert frechet_floor(real[:40], 200) is None, "halves of 20 samples with 20 features"


def test_few_samples_are_refused_or_not_extrapolated() -> None:
    some = points(30, mixing(20, 1), 2)
    with pytest.raises(UsageError, match="20 features needs at least 21 generated samples, but there are 20"):
        frechet_estimate(some, some[:20])
    assert frechet_estimate(some, some).infinity is None
    with pytest.raises(UsageError, match="20 and 5 dimensions"):
        frechet_distance(Moments.of(some), Moments.of(some[:, :5]))


def test_metric_says_how_many_images_it_needs() -> None:
    """One more than pixels, here."""
    with pytest.raises(FitError, match="needs 13 images of each side, but generated has 12"):
        measure(FrechetDistance(), comparison(generated=12))
    found = measure(FrechetDistance(), comparison(generated=13))
    assert [*found] == ["frechet", "floor"]
    assert [*measure(FrechetDistance(), comparison(generated=30))] == ["frechet", "frechet_infinity", "floor"]


def test_noise_on_samples_raises_it() -> None:
    exact = measure(FrechetDistance(), comparison(generated=300))
    noisy = measure(FrechetDistance(), comparison(generated=300, noise=30))
    noisier = measure(FrechetDistance(), comparison(generated=300, noise=60))
    assert exact["frechet_infinity"] < noisy["frechet_infinity"] < noisier["frechet_infinity"]
    assert exact["frechet"] < 2 * exact["floor"] < noisy["frechet"]
