"""One estimate of the dimension with its range, and near-duplicates, which are left out of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from gantk.errors import UsageError
from gantk.measures import Neighbors, dimension_range, intrinsic_dimension, two_nn
from gantk.measures.near_duplicates import near_duplicates, neighborhood

Array = npt.NDArray[np.float64]


def normal(count: int, dimension: int) -> Array:
    return np.random.default_rng(dimension).normal(size=(count, dimension))


def copied(points: Array, copies: int, by: float = 0.001) -> Array:
    """Points, the first fifth of them with copies that differ a little."""
    some = points[: len(points) // 5]
    rng = np.random.default_rng(99)
    return np.concatenate([points, *(some + by * rng.normal(size=some.shape) for _ in range(copies))])


def found_in(points: Array) -> torch.Tensor:
    neighbors = Neighbors.search(points, neighborhood(len(points)))
    return near_duplicates(torch.from_numpy(points), neighbors)


@pytest.mark.parametrize("dimension", [1, 2, 5, 12, 40])
def test_evenly_spread_points_have_none(dimension: int) -> None:
    assert len(found_in(normal(1000, dimension))) <= 1
    assert len(found_in(np.random.default_rng(0).random((1000, dimension)))) <= 1


@pytest.mark.parametrize("dimension", [5, 12, 40])
@pytest.mark.parametrize("copies", [1, 4])
def test_all_but_one_of_each_group_are_found(dimension: int, copies: int) -> None:
    """The first of each group remains, whatever the scale of the data is."""
    points = copied(normal(500, dimension), copies)
    later = found_in(100 * points)
    assert later.tolist() == list(range(500, 500 + 100 * copies))


def test_few_points_have_no_neighborhood() -> None:
    assert [neighborhood(n) for n in (2, 99, 100, 500, 5000)] == [0, 0, 10, 50, 100]
    assert len(near_duplicates(torch.rand(50, 3), Neighbors.search(torch.rand(50, 3), 5))) == 0


def test_the_value_is_the_harmonic_mean_and_the_range_holds_every_estimate() -> None:
    points = normal(600, 6)
    found = dimension_range(points, range(5, 41))
    assert found is not None
    estimate, ratios = intrinsic_dimension(points, range(5, 41)), two_nn(points)
    assert found.value == pytest.approx(estimate.flattest("harmonic").value)
    curves = torch.cat([estimate.harmonic, estimate.unbiased])
    assert found.spread["k"] == pytest.approx((float(curves.min()), float(curves.max())))
    estimators = [*(estimate.flattest(name).value for name in ("harmonic", "unbiased")), ratios.fit, ratios.likelihood]
    assert found.spread["estimator"] == pytest.approx((min(estimators), max(estimators)))
    assert set(found.spread) == {"estimator", "k", "points"}
    assert found.low == min(low for low, _ in found.spread.values())
    assert found.high == max(high for _, high in found.spread.values())
    assert found.noise - 1 < found.high <= found.noise
    assert (found.points, found.near_duplicates, found.left_out, found.with_them) == (600, 0, False, None)
    assert found == dimension_range(points, range(5, 41)), "the same half at every call"
    assert found == dimension_range(points, range(5, 41), found=Neighbors.search(points, 60))


def test_near_duplicates_are_left_out_where_they_are_many() -> None:
    points = normal(500, 8)
    plain, found = dimension_range(points), dimension_range(copied(points, 3))
    assert plain is not None
    assert found is not None
    assert found.left_out
    assert (found.points, found.near_duplicates) == (500, 300)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))
    assert found.with_them is not None
    assert found.with_them[0] < 0.5 * plain.low
    few = np.concatenate([points, points[:3] + 0.001])
    kept = dimension_range(few)
    assert kept is not None
    assert (kept.points, kept.near_duplicates, kept.left_out) == (503, 3, False)


def test_exact_copies_do_not_shift_the_points() -> None:
    """Those that the search drops are dropped here, too."""
    points = copied(normal(500, 8), 1)
    one, other = dimension_range(points), dimension_range(np.concatenate([points[:7], points]))
    assert one == other


def test_one_estimator_and_one_k() -> None:
    points = normal(300, 4)
    ratios = dimension_range(points, estimators=["twonn"])
    assert ratios is not None
    assert ratios.value == pytest.approx(two_nn(points).likelihood)
    assert set(ratios.spread) == {"estimator", "points"}
    single = dimension_range(points, 10, estimators=["mle"])
    assert single is not None
    assert single.value == pytest.approx(float(intrinsic_dimension(points, 10).harmonic))
    assert set(single.spread) == {"estimator", "points"}


def test_points_without_a_finite_estimate_have_none() -> None:
    assert dimension_range(np.eye(20), range(5, 13)) is None
    with pytest.raises(UsageError, match="k is from 1 to 19"):
        dimension_range(normal(20, 3), 30)
