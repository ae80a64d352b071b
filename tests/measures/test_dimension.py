"""Intrinsic dimensions: against the equations written out slowly, and against data whose dimension is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from gantk.errors import UsageError
from gantk.measures.dimension import LevinaBickel, intrinsic_dimension
from gantk.measures.duplicates import distinct
from gantk.measures.neighbors import Neighbors
from gantk.measures.twonn import two_nn

Array = np.ndarray[Any, np.dtype[Any]]


def slow_distances(points: Array, k: int) -> Array:
    """Differences, point by point; float128 where the machine has it."""
    rows = points.reshape(len(points), -1).astype(np.longdouble)
    found = [np.sort(np.delete(np.sqrt(((rows - row) ** 2).sum(1)), i))[:k] for i, row in enumerate(rows)]
    return np.stack(found)


def slow_estimate(distances: Array, k: int, taken: int) -> Array:
    """Levina & Bickel's equation 8, as it stands there."""
    values = []
    for t in distances:
        total = sum(math.log(t[k - 1] / t[j]) for j in range(k - 1))
        values.append((k - taken) / total if total else math.inf)
    return np.array(values)


def cube(count: int, dim: int, into: int, seed: int = 0) -> torch.Tensor:
    """Points spread evenly in a cube, turned into a space of more dimensions without stretching it."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(into, dim, generator=rng, dtype=torch.float64)).Q
    return torch.rand(count, dim, generator=rng, dtype=torch.float64) @ basis.T


def sphere(count: int, dim: int, into: int, seed: int = 0) -> torch.Tensor:
    """Points spread evenly on a sphere of that dimension."""
    rng = torch.Generator().manual_seed(seed)
    points = torch.randn(count, dim + 1, generator=rng, dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(into, dim + 1, generator=rng, dtype=torch.float64)).Q
    return (points / points.norm(dim=1, keepdim=True)) @ basis.T


@pytest.fixture(scope="module")
def points() -> Array:
    return np.random.default_rng(0).normal(size=(60, 7))


@pytest.mark.parametrize("normalizer", ["k-1", "k-2"])
def test_every_point_and_both_averages_are_the_equations(points: Array, normalizer: Any) -> None:
    result = intrinsic_dimension(points, range(3, 31), normalizer=normalizer)
    assert result.k == tuple(range(3, 31))
    distances = slow_distances(points, 30)
    for index, k in enumerate(result.k):
        expected = slow_estimate(distances, k, int(normalizer[-1]))
        np.testing.assert_allclose(result.per_point(k).numpy(), expected, rtol=1e-12)
        np.testing.assert_allclose(result.mean[index], expected.mean(), rtol=1e-12)
        np.testing.assert_allclose(result.harmonic[index], 1 / (1 / expected).mean(), rtol=1e-12)
        np.testing.assert_allclose(result.mean_error[index], expected.std(ddof=1) / math.sqrt(60), rtol=1e-10)
        error = (1 / expected).std(ddof=1) / math.sqrt(60) * float(result.harmonic[index]) ** 2
        np.testing.assert_allclose(result.harmonic_error[index], error, rtol=1e-10)
    assert result.infinite.tolist() == result.undefined.tolist() == [0] * 28


def test_one_k_is_the_range_at_that_k_whatever_the_blocks(points: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = intrinsic_dimension(points, range(2, 20))
    one = intrinsic_dimension(points, 7)
    assert one.k == (7,)
    torch.testing.assert_close(one.mean[0], whole.mean[5], rtol=1e-13, atol=0)
    monkeypatch.setattr("gantk.measures.dimension.BLOCK", 7)
    monkeypatch.setattr("gantk.measures.duplicates.BLOCK", 7)
    blocks = intrinsic_dimension(points, range(2, 20))
    for name in ("mean", "mean_error", "harmonic", "harmonic_error"):
        torch.testing.assert_close(getattr(blocks, name), getattr(whole, name), rtol=1e-12, atol=0)
    assert torch.equal(blocks.per_point(9), whole.per_point(9))
    assert intrinsic_dimension(points, np.array([9, 3, 9])).k == (3, 9)


def test_images_arrays_and_found_neighbors_are_the_same() -> None:
    images = np.random.default_rng(1).integers(0, 256, (50, 3, 4, 5), dtype=np.uint8)
    expected = intrinsic_dimension(images.reshape(50, -1).astype(np.float64), range(2, 21)).mean
    found = Neighbors.search(images, 25)
    channels_last = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
    swapped = images.astype(">f4")
    for given in (images, channels_last, torch.from_numpy(images).half(), swapped, images[:, :, ::-1], found):
        torch.testing.assert_close(intrinsic_dimension(given, range(2, 21)).mean, expected, rtol=1e-12, atol=0)
    assert two_nn(images).fit == two_nn(found).fit


@pytest.mark.parametrize(
    ("make", "dim"),
    [(cube, 2), (cube, 5), (sphere, 2), (sphere, 6)],
    ids=["square", "cube of 5", "sphere", "sphere of 6"],
)
def test_known_dimensions_are_found(make: Callable[[int, int, int], torch.Tensor], dim: int) -> None:
    found = Neighbors.search(make(2000, dim, 12), 20)
    unbiased = intrinsic_dimension(found, (10, 20), normalizer="k-2")
    pooled = intrinsic_dimension(found, (10, 20))
    ratios = two_nn(found)
    # A cube's borders cost some of its dimension, the more the greater k and dim are.
    for value in (*unbiased.mean, *pooled.harmonic, ratios.fit, ratios.likelihood):
        assert 0.86 * dim < float(value) < 1.06 * dim
    biased = pooled.mean / unbiased.mean
    torch.testing.assert_close(biased, torch.tensor([9 / 8, 19 / 18], dtype=torch.float64))


def test_gaussian_data_fills_its_space() -> None:
    found = Neighbors.search(torch.randn(3000, 3, generator=torch.Generator().manual_seed(0)), 10)
    assert intrinsic_dimension(found, 10).harmonic.item() == pytest.approx(3, rel=0.04)
    assert two_nn(found).likelihood == pytest.approx(3, rel=0.07)


def test_the_expectation_is_the_dimension_where_theory_says_so() -> None:
    """Distances drawn from the model itself: T_j^m are the points of a Poisson process, independent of each other."""
    rng = np.random.default_rng(0)
    dim, k, count = 4, 6, 200_000
    steps = rng.exponential(size=(count, k)).cumsum(1)
    found = Neighbors(torch.from_numpy(steps ** (1 / dim)))
    unbiased, paper = (intrinsic_dimension(found, k, normalizer=name) for name in ("k-2", "k-1"))
    assert abs(unbiased.mean.item() - dim) < 4 * unbiased.mean_error.item()
    assert abs(paper.harmonic.item() - dim) < 4 * paper.harmonic_error.item()
    assert paper.mean.item() == pytest.approx(dim * 5 / 4, rel=0.01)
    ratios = two_nn(found, resamples=20)
    assert abs(ratios.fit - dim) < 4 * ratios.fit_error
    assert abs(ratios.likelihood - dim) < 4 * ratios.likelihood_error
    assert ratios.likelihood_error == pytest.approx(dim / math.sqrt(0.9 * count), rel=0.02)


def test_errors_are_the_spread_of_independent_points() -> None:
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(200):
        steps = rng.exponential(size=(300, 12)).cumsum(1)
        found = Neighbors(steps ** (1 / 5))
        result, ratios = intrinsic_dimension(found, 12), two_nn(found, resamples=25)
        pairs = [(result.mean, result.mean_error), (result.harmonic, result.harmonic_error)]
        pairs += [(ratios.fit, ratios.fit_error), (ratios.likelihood, ratios.likelihood_error)]
        draws.append([[float(value), float(error)] for value, error in pairs])
    values, errors = np.array(draws).transpose(2, 1, 0)
    np.testing.assert_allclose(values.std(1, ddof=1) / errors.mean(1), 1, atol=0.2)


def test_two_nn_is_the_paper_s_line_and_the_censored_likelihood(points: Array) -> None:
    distances = slow_distances(points, 2).astype(np.float64)
    ratios = np.sort(distances[:, 1] / distances[:, 0])
    used = 45
    x, y = np.log(ratios[:used]), -np.log(1 - np.arange(1, used + 1) / 60)
    line = np.linalg.lstsq(x[:, None], y, rcond=None)[0][0]
    result = two_nn(points, discard=0.25, resamples=10)
    assert result.fit == pytest.approx(line, rel=1e-12)
    assert result.likelihood == pytest.approx((used - 1) / (x.sum() + 15 * x[-1]), rel=1e-12)
    assert (result.points, result.discarded, result.undefined) == (60, 15, 0)
    assert two_nn(points, discard=1e-9).discarded == 1


def test_the_bootstrap_follows_from_its_generator(points: Array) -> None:
    found = Neighbors.search(points, 2)
    seeded = [two_nn(found, rng=torch.Generator().manual_seed(seed)).fit_error for seed in (1, 1, 2)]
    assert seeded[0] == seeded[1] != seeded[2]
    before = torch.get_rng_state()
    assert two_nn(found).fit_error == two_nn(found).fit_error
    assert torch.equal(torch.get_rng_state(), before)


def with_twins(points: Array) -> Array:
    """The same with points 3, 3 and 10 once more at its end."""
    return np.concatenate([points, points[[3, 3, 10]]])


def test_duplicates_are_an_error_where_nothing_is_said(points: Array) -> None:
    for call in (intrinsic_dimension, two_nn):
        with pytest.raises(UsageError, match=r"3 of 63 points are exact duplicates .*: use duplicates='drop'"):
            call(with_twins(points))
    with pytest.raises(UsageError, match="5 of 63 points have a neighbor at distance 0"):
        Neighbors(slow_distances(with_twins(points), 5).astype(np.float64))


def test_dropped_duplicates_were_never_there(points: Array) -> None:
    alone, dropped = (intrinsic_dimension(x, 9, duplicates="drop") for x in (points, with_twins(points)))
    assert torch.equal(alone.mean, dropped.mean)
    assert (alone.neighbors.dropped, dropped.neighbors.dropped) == (0, 3)
    assert two_nn(with_twins(points), duplicates="drop").fit == two_nn(points).fit
    signed = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]])
    assert distinct(signed).tolist() == [0, 2]
    assert distinct(torch.tensor([[1, 2], [2, 1], [1, 2]], dtype=torch.uint8)).tolist() == [0, 1]


def test_kept_duplicates_leave_the_neighbors_at_positive_distance(points: Array) -> None:
    twins = with_twins(points)
    result = intrinsic_dimension(twins, (3, 9), duplicates="keep")
    distances = slow_distances(twins, 9)
    for index, k in enumerate(result.k):
        expected = []
        for row in distances[:, :k]:
            positive = row[row > 0]
            expected.append(slow_estimate(positive[None], len(positive), 1)[0] if len(positive) > 1 else math.nan)
        np.testing.assert_allclose(result.per_point(k).numpy(), expected, rtol=1e-12)
        np.testing.assert_allclose(result.mean[index], np.nanmean(expected), rtol=1e-12)
    assert result.undefined.tolist() == [3, 0], "of the points that lie thrice, k = 3 sees one other"
    assert result.neighbors.at_zero == 5
    ratios = two_nn(Neighbors(distances.astype(np.float64), "keep"))
    assert (ratios.points, ratios.undefined) == (63, 0)
    assert two_nn(twins, duplicates="keep").undefined == 5
    with pytest.raises(UsageError, match=r"at k = 2, no point has 2 neighbors .*duplicates='drop'"):
        intrinsic_dimension(np.repeat(points, 3, axis=0), (2, 9), duplicates="keep")


def test_equal_distances_are_infinite_and_counted() -> None:
    corners = torch.cat([torch.eye(8, dtype=torch.float64), torch.full((1, 8), 9.0, dtype=torch.float64)])
    result = intrinsic_dimension(corners, (5, 8))
    assert result.infinite.tolist() == [9, 1], "corners are at equal distances from each other, and all from the last"
    assert result.mean.isinf().all()
    assert result.mean_error.isinf().all()
    assert result.harmonic.isinf().tolist() == [True, False]
    assert result.harmonic_error.isfinite().tolist() == [False, True]
    assert not result.harmonic_error.isnan().any()
    assert result.per_point(8).isinf().sum() == 1
    with pytest.raises(UsageError, match="5, 8 includes no range"):
        result.flattest()
    ratios = two_nn(torch.eye(8))
    assert ratios.fit == ratios.likelihood == ratios.fit_error == ratios.likelihood_error == math.inf


def test_distances_that_differ_by_their_last_bits_keep_their_figures() -> None:
    """Logarithms that are subtracted from each other would leave one figure here."""
    step = 2.0**-50
    distances = np.array([[1.0, 1 + step, 1 + 3 * step]])
    expected = 2 / (2 * math.log1p(2 * step / (1 + step)) + math.log1p(step))
    assert intrinsic_dimension(Neighbors(distances), 3).per_point(3).item() == pytest.approx(expected, rel=1e-12)


def curve(k: tuple[int, ...], values: list[float]) -> LevinaBickel:
    tensor = torch.tensor(values, dtype=torch.float64)
    none = torch.zeros(len(k), dtype=torch.int64)
    return LevinaBickel(k, "k-1", tensor, tensor / 10, tensor + 1, tensor, none, none, Neighbors(torch.ones(1, 1)))


def test_the_flattest_stretch_is_found() -> None:
    k = (2, 3, 4, 5, 6, 8, 12)
    found = curve(k, [9.0, 5.0, 4.1, 4.0, 4.0, 4.2, 6.0]).flattest()
    assert (found.first, found.last) == (4, 8)
    assert found.value == pytest.approx(4.075)
    assert found.change == pytest.approx(0.2 / 4.075)
    assert found.error == pytest.approx(0.4075)
    assert curve(k, [3.0] * 7).flattest().last == 12, "of equal ones the greatest k"
    assert curve(k, [3.0] * 7).flattest("harmonic").value == 4
    assert curve((5, 100), [3.0, 2.0]).flattest().last == 100
    for narrow in ((5,), (5, 6, 9)):
        with pytest.raises(UsageError, match="no range from some k to 2k"):
            curve(narrow, [1.0] * len(narrow)).flattest()


X = np.random.default_rng(0).normal(size=(20, 3))

WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "k=1": (lambda: intrinsic_dimension(X, 1), "at least 2 with the normalizer 'k-1'"),
    "k=2 of k-2": (lambda: intrinsic_dimension(X, 2, normalizer="k-2"), "at least 3"),
    "k=N": (lambda: intrinsic_dimension(X, 20), "k is from 1 to 19 for 20 points, not 20"),
    "k=N of distinct": (
        lambda: intrinsic_dimension(np.concatenate([X, X]), 20, duplicates="drop"),
        "1 to 19 for 20 points without 20 duplicates",
    ),
    "no k": (lambda: intrinsic_dimension(X, []), "none is given"),
    "k=2.5": (lambda: intrinsic_dimension(X, 2.5), "k is an integer"),  # type: ignore[arg-type]
    "k of text": (lambda: intrinsic_dimension(X, "5"), "k is an integer"),  # type: ignore[arg-type]
    "normalizer": (lambda: intrinsic_dimension(X, 5, normalizer="k"), "'k-1' or 'k-2', not 'k'"),  # type: ignore[arg-type]
    "duplicates": (lambda: Neighbors.search(X, 5, duplicates="x"), "'error' or 'drop' or 'keep'"),  # type: ignore[arg-type]
    "int64": (lambda: intrinsic_dimension(X.astype(np.int64), 5), "uint8 or float, not int64"),
    "int64 tensor": (lambda: two_nn(torch.ones(5, 2, dtype=torch.int64)), "uint8 or float, not torch.int64"),
    "text": (lambda: two_nn(np.array([["a"], ["b"]])), "uint8 or float"),
    "objects": (lambda: two_nn(np.array([[None], [1]])), "uint8 or float"),
    "one axis": (lambda: intrinsic_dimension(X[0], 2), r"\[N, D\] or images"),
    "no points": (lambda: intrinsic_dimension(X[:0], 2), r"not \[0, 3\]"),
    "all NaN": (lambda: intrinsic_dimension(np.full((10, 2), np.nan), 3), "(?i)nan"),
    "NaN": (lambda: intrinsic_dimension(np.where(X > 1, np.nan, X), 5), "(?i)nan"),
    "not asked for": (lambda: intrinsic_dimension(X, range(5, 9)).per_point(9), "available: 5 to 8"),
    "chosen before": (lambda: two_nn(Neighbors.search(X, 2), duplicates="keep"), "cannot be combined with neighbors"),
    "too few found": (
        lambda: intrinsic_dimension(Neighbors.search(X, 4), 5),
        "k = 5 needs 5 neighbors .* only 4",
    ),
    "distances of one axis": (lambda: Neighbors(torch.ones(3)), r"\[N, k\]"),
    "negative": (lambda: Neighbors(-torch.ones(3, 2)), "finite and at least 0"),
    "infinite": (lambda: Neighbors(torch.full((3, 2), math.inf)), "finite and at least 0"),
    "points for distances": (lambda: Neighbors(torch.tensor([[2.0, 1.0]])), "must be ascending"),
    "discard=0": (lambda: two_nn(X, discard=0), "between 0 and 1"),
    "discard=nan": (lambda: two_nn(X, discard=math.nan), "between 0 and 1"),
    "discard all": (lambda: two_nn(X, discard=0.9), "needs at least 3 ratios, but only 1 of 20"),
    "discard='a'": (lambda: two_nn(X, discard="a"), "a fraction between 0 and 1, not 'a'"),  # type: ignore[arg-type]
    "resamples": (lambda: two_nn(X, resamples=1), "at least 2"),
    "resamples=2.5": (lambda: two_nn(X, resamples=2.5), "an integer of at least 2, not 2.5"),  # type: ignore[arg-type]
    "rng=3": (lambda: two_nn(X, rng=3), r"not 3; create one with torch.Generator\(\)"),  # type: ignore[arg-type]
    "average": (lambda: intrinsic_dimension(X, (5, 10)).flattest("foo"), "'mean', 'harmonic' or 'unbiased', not 'foo'"),  # type: ignore[arg-type]
    "three points": (lambda: two_nn(X[:3]), "needs at least 3 ratios"),
}


def test_an_array_that_cannot_be_written_is_no_less(recwarn: pytest.WarningsRecorder) -> None:
    given = X.copy()
    given.flags.writeable = False
    assert torch.equal(intrinsic_dimension(given, 5).mean, intrinsic_dimension(X, 5).mean)
    assert not recwarn.list


@pytest.mark.parametrize(("wrong", "mend"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(wrong: Callable[[], object], mend: str) -> None:
    with pytest.raises(UsageError, match=mend) as caught:
        wrong()
    assert "\n" not in str(caught.value)
