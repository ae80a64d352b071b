"""Precision, recall, density and coverage: exactly those of the definition, in blocks, and what they catch."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from sides import comparison, images, of_images
from torch import Tensor

from gantk.errors import FitError, UsageError
from gantk.measures import Comparison, compare_manifolds, manifold, measure
from gantk_metrics.prdc import PRDC


def features(n: int, seed: int, dim: int = 16, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def by_definition(real: Tensor, generated: Tensor, k: int) -> dict[str, float]:
    """With whole matrices of distances, in float64."""

    def distances(one: Tensor, other: Tensor) -> Tensor:
        return (one[:, None].double() - other[None].double()).square().sum(2).sqrt()

    real_radii, generated_radii = (distances(x, x).sort(1).values[:, k] for x in (real, generated))
    between = distances(real, generated)
    in_real, in_generated = between < real_radii[:, None], between < generated_radii[None]
    return {
        "precision": float(in_real.any(0).double().mean()),
        "recall": float(in_generated.any(1).double().mean()),
        "density": float(in_real.sum(0).double().mean()) / k,
        "coverage": float(in_real.any(1).double().mean()),
    }


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (1000.0, 1.0), (0.0, 1e-18)])
def test_figures_are_the_definition(k: int, offset: float, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifold, "ROWS", 37)
    monkeypatch.setattr(manifold, "COLUMNS", 53)
    real, generated = features(150, 0, scale=scale) + offset, features(200, 1, scale=1.2 * scale) + offset
    found = dataclasses.asdict(compare_manifolds(real, generated, k))
    assert found == pytest.approx(by_definition(real, generated, k), rel=1e-12)
    assert 0 < found["coverage"] < 1, "a case that tells something"


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_points_on_a_border_are_outside(precision: Any) -> None:
    """On a grid, where most distances occur many times and float32 cannot tell them from radii."""
    before = torch.get_float32_matmul_precision()
    points = torch.randint(0, 4, (120, 5), generator=torch.Generator().manual_seed(0)).float()
    try:
        torch.set_float32_matmul_precision(precision)
        found = dataclasses.asdict(compare_manifolds(points[:60], points[60:], 3))
    finally:
        torch.set_float32_matmul_precision(before)
    assert found == pytest.approx(by_definition(points[:60], points[60:], 3), rel=1e-12)
    same = compare_manifolds(points[:60], points[:60].clone(), 1)
    expected = by_definition(points[:60], points[:60], 1)
    assert dataclasses.asdict(same) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dim", [8, 64])
def test_figures_are_those_of_prdc(dim: int) -> None:
    prdc: Any = pytest.importorskip("prdc", exc_type=ImportError)
    real, generated = features(500, 0, dim), features(400, 1, dim, scale=1.1)
    expected = prdc.compute_prdc(real.numpy(), generated.numpy(), nearest_k=5)
    found = compare_manifolds(real, generated, 5)
    assert dataclasses.asdict(found) == pytest.approx({n: float(v) for n, v in expected.items()}, rel=1e-12)


def test_samples_as_good_as_real_images_have_high_figures_and_noise_lowers_precision() -> None:
    good, noisy = (measure(PRDC(), comparison(generated=300, noise=noise)) for noise in (0, 40))
    assert min(good.values()) > 0.85
    assert noisy["precision"] < 0.5 * good["precision"]
    assert noisy["density"] < 0.5 * good["density"]


def test_one_class_alone_covers_a_third() -> None:
    whole = comparison()
    one = of_images(images(300, 5, torch.zeros(300, dtype=torch.int64)), "one class")
    found = measure(PRDC(), Comparison(whole.real, one))
    assert found["precision"] > 0.8
    assert found["coverage"] < 0.4
    assert found["recall"] < 0.4


def test_too_few_points_are_refused() -> None:
    with pytest.raises(UsageError, match="k is from 1 to 4"):
        compare_manifolds(features(5, 0), features(9, 0), 5)
    with pytest.raises(FitError, match="needs 6 images of each side"):
        measure(PRDC(), comparison(generated=5))


def test_progress_is_told() -> None:
    told: list[float] = []
    compare_manifolds(features(50, 0), features(50, 1), 3, told.append)
    assert told == sorted(told)
    assert told[-1] == 1
