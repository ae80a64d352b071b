"""The CUDA search's Python part, on the CPU with the kernels' work done by plain torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_kernels import TorchKernels, brute_force

from gantk.errors import UsageError
from gantk.ops.knn import cuda
from gantk.ops.knn.cuda import search
from gantk.ops.knn.cuda_kernels import pack
from gantk.ops.knn.plan import Plan


def pixels(count: int, dimension: int, seed: int = 0, levels: int = 256) -> Tensor:
    """Points around a few centers; few levels make equal distances, and equal points, common."""
    rng = torch.Generator().manual_seed(seed)
    centers = torch.randint(0, levels, (8, dimension), generator=rng)
    which = torch.randint(0, 8, (count,), generator=rng)
    noise = torch.randint(-levels // 8 - 1, levels // 8 + 2, (count, dimension), generator=rng)
    return (centers[which] + noise).clamp(0, levels - 1).to(torch.uint8)


def assert_found(x: Tensor, k: int, plan: Plan | None, reference: Tensor | None = None, **more: object) -> TorchKernels:
    kernels = TorchKernels()
    distances, indices = search(x, k, reference, kernels=kernels, plan=lambda *_: plan, **more)  # type: ignore[arg-type]
    expected = brute_force(x, k, reference)
    assert distances.dtype == indices.dtype == torch.int64
    assert torch.equal(distances, expected[0])
    assert torch.equal(indices, expected[1])
    return kernels


@pytest.mark.parametrize("levels", [256, 3, 2, 1])
@pytest.mark.parametrize(("count", "dimension", "k"), [(301, 33, 7), (256, 64, 20), (140, 1, 5)])
def test_a_search_equals_brute_force_ties_and_duplicates_included(
    count: int, dimension: int, k: int, levels: int
) -> None:
    x = pixels(count, dimension, levels=levels)
    assert_found(x, k, None)
    kernels = assert_found(x, k, Plan(sample=40, rank=6, capacity=120))
    assert "collect_pairs" in kernels.calls


@pytest.mark.parametrize(
    "plan",
    [Plan(64, 1, 300), Plan(64, 5, 12), Plan(300, 300, 400), Plan(20, 20, 10)],
    ids=["too tight", "overflowing", "all are candidates", "lists shorter than k"],
)
def test_a_search_is_right_whatever_the_plan(plan: Plan) -> None:
    assert_found(pixels(300, 20), 11, plan)
    assert_found(pixels(90, 20, seed=1), 11, plan, reference=pixels(300, 20))


def test_rows_without_a_full_list_only_are_searched_again() -> None:
    kernels = assert_found(pixels(300, 20), 5, Plan(60, 6, 200))
    assert kernels.calls.count("collect_pairs") == 1
    assert kernels.calls.count("dense") <= 2  # the sample, and perhaps a few rows


@pytest.mark.parametrize("plan", [None, Plan(10, 3, 60)])
@pytest.mark.parametrize("k", [1, 59])
def test_k_reaches_from_one_to_all_others(k: int, plan: Plan | None) -> None:
    assert_found(pixels(60, 12), k, plan)


@pytest.mark.parametrize("count", [2, 3])
def test_a_handful_of_points(count: int) -> None:
    assert_found(pixels(count, 5), count - 1, None)


def test_a_reference_of_one_point_and_rows_that_are_in_the_reference() -> None:
    x = pixels(30, 9)
    assert_found(x, 1, None, reference=x[:1])
    assert_found(x, 4, Plan(20, 6, 30), reference=x)


def test_lists_within_bounded_memory_come_from_groups_of_rows() -> None:
    kernels = assert_found(pixels(300, 20), 5, Plan(60, 6, 200), list_bytes=128 * 200 * 8)
    assert kernels.calls.count("collect") == 3
    assert "collect_pairs" not in kernels.calls


def test_long_passes_are_cut_into_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TorchKernels, "band", 128)
    monkeypatch.setattr(cuda, "LAUNCH", 300 * 64 * 130)
    told: list[tuple[int, int]] = []
    kernels = assert_found(pixels(300, 20), 5, Plan(60, 6, 200), progress=lambda *done: told.append(done))
    assert kernels.calls.count("collect_pairs") == 3
    assert told == sorted(told)
    assert told[-1] == (300, 300)


def test_blocks_of_the_dense_search_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "BLOCK", 300 * 37)
    assert_found(pixels(300, 20, levels=3), 11, None)
    assert_found(pixels(300, 20, levels=3), 59, None, reference=pixels(100, 20, levels=3))


def test_sums_beyond_32_bits_are_exact() -> None:
    x = torch.zeros((5, 40000), dtype=torch.uint8)
    x[1] = 255
    x[2, ::2] = 255
    x[3, :33025] = 255
    x[4, -1] = 1
    distances, indices = search(x, 4, kernels=TorchKernels())
    assert torch.equal(distances, brute_force(x, 4)[0])
    assert torch.equal(indices, brute_force(x, 4)[1])
    assert distances[0, -1] == 40000 * 255**2 > 2**31


def test_the_largest_distance_that_32_bits_hold() -> None:
    x = torch.zeros((3, TorchKernels.largest_dimension), dtype=torch.uint8)
    x[1] = 255
    assert_found(x, 2, None)
    assert_found(x, 2, Plan(3, 2, 3))


def test_rows_that_are_not_contiguous() -> None:
    x = pixels(200, 40)[::2, 3:33]
    assert_found(x, 6, Plan(40, 6, 90))


def test_packing_fills_up_with_zeros() -> None:
    packed = pack(torch.full((3, 65), 255, dtype=torch.uint8))
    assert packed.data.shape == (3, 128)
    assert packed.norms.tolist() == [65 * 255**2] * 3
    assert int(packed.data[:, 65:].max()) == 0
    assert pack(torch.zeros((2, 0), dtype=torch.uint8)).data.shape == (2, 64)


@pytest.mark.parametrize("k", [0, 10, -1])
def test_a_k_that_there_are_not_points_for_is_refused(k: int) -> None:
    with pytest.raises(UsageError, match="k is from 1 to 9 for 10 points"):
        search(pixels(10, 4), k, kernels=TorchKernels())


@pytest.mark.parametrize(("columns", "k"), [(60000, 100), (60000, 5), (1_000_000, 100), (5000, 10), (60000, 1000)])
def test_a_plan_finds_enough_and_its_lists_hold_it(columns: int, k: int) -> None:
    plan = Plan.for_lists(columns, k)
    assert plan is not None
    rng = torch.Generator().manual_seed(0)
    # Ranks of a row's nearest columns in its sample: a Poisson process of rate sample / columns.
    gaps = torch.empty(20000, plan.rank, dtype=torch.float64).exponential_(plan.sample / columns, generator=rng)
    within = gaps.sum(1)
    assert float((within < k).double().mean()) < 0.0075
    assert float((within > plan.capacity).double().mean()) < 0.003


def test_small_searches_have_no_plan() -> None:
    assert Plan.for_lists(3000, 5) is None
    assert Plan.for_lists(60000, 10000) is None


def test_the_plan_of_this_installation_on_points_enough_for_it() -> None:
    x = pixels(4200, 16, levels=64)
    kernels = TorchKernels()
    distances, indices = search(x, 10, kernels=kernels)
    expected = brute_force(x, 10)
    assert torch.equal(distances, expected[0])
    assert torch.equal(indices, expected[1])
