"""The CUDA search among floats, on the CPU with the kernels' work done by plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from test_knn_cuda_search import pixels
from torch import Tensor
from torch_kernels import TorchKernels

from gantk.errors import UsageError
from gantk.ops import knn_distances
from gantk.ops.knn import cuda, cuda_float
from gantk.ops.knn import distances as distances_module
from gantk.ops.knn.cuda_float import _Screen, search_float
from gantk.ops.knn.plan import Plan

LISTS = Plan(60, 8, 250)


def normal(count: int, dimension: int, seed: int = 0) -> Tensor:
    return torch.randn((count, dimension), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def near_duplicates(count: int, dimension: int) -> Tensor:
    return 1000 + normal(8, dimension).repeat(-(-count // 8), 1)[:count] + 1e-7 * normal(count, dimension, 1)


def outlier(count: int, dimension: int) -> Tensor:
    x = normal(count, dimension)
    x[3] += 1e6
    return x


def constant(count: int, dimension: int) -> Tensor:
    return torch.full((count, dimension), 3.7, dtype=torch.float64)


def images(count: int, dimension: int) -> Tensor:
    return pixels(count, dimension).double() / 255


def with_equal_points(count: int, dimension: int) -> Tensor:
    return normal(count, dimension)[torch.arange(count) // 3]


def brute_force(x: Tensor, k: int, reference: Tensor | None) -> tuple[Tensor, Tensor]:
    among = (x if reference is None else reference).double()
    squared = torch.stack([(among - row.double()).square().sum(1) for row in x])
    if reference is None:
        squared.fill_diagonal_(math.inf)
    found = squared.sort(dim=1, stable=True)
    return found.values[:, :k], found.indices[:, :k]


@pytest.mark.parametrize(
    "plan", [LISTS, Plan(60, 2, 250), Plan(60, 8, 20), None], ids=["lists", "tight", "over", "dense"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("points", [normal, near_duplicates, outlier, constant, images, with_equal_points])
def test_a_search_equals_direct_differences(
    points: Callable[[int, int], Tensor], dtype: torch.dtype, plan: Plan | None
) -> None:
    x, reference = points(300, 24).to(dtype), points(250, 24).to(dtype)
    for among in (None, reference):
        distances, indices = search_float(x, 9, among, kernels=TorchKernels(), plan=lambda *_: plan)
        expected = brute_force(x, 9, among)
        assert distances.dtype == torch.float64
        torch.testing.assert_close(distances, expected[0], rtol=1e-12, atol=0)
        assert torch.equal(indices, expected[1])


def test_images_as_floats_are_found_in_one_pass() -> None:
    kernels = TorchKernels()
    search_float(images(300, 50), 9, kernels=kernels, plan=lambda *_: LISTS)
    assert kernels.calls == ["dense", "collect_pairs"]


def test_rows_whose_threshold_proves_too_little_are_searched_again() -> None:
    kernels = TorchKernels()
    search_float(normal(300, 50), 9, kernels=kernels, plan=lambda *_: Plan(60, 3, 250))
    assert kernels.calls == ["dense", "collect_pairs", "collect"]


def test_the_bound_holds_and_is_not_idle() -> None:
    """All that is as near as a row's 9th is within the threshold, and much that is farther is not."""
    x = normal(200, 40)
    screen = _Screen.of(x, x, TorchKernels())
    assert screen is not None
    direct = torch.stack([(x - row).square().sum(1) for row in x])
    ninth = direct.sort(dim=1).values[:, 9]
    thresholds = screen.threshold(torch.arange(200), ninth)
    levels = TorchKernels().dense(screen.rows, screen.columns)
    assert bool((levels <= thresholds[:, None])[direct <= ninth[:, None]].all())
    assert float((levels <= thresholds[:, None]).double().mean()) < 0.2


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_numbers_of_any_size(scale: float) -> None:
    x = normal(200, 12) * scale
    distances, indices = search_float(x, 5, kernels=TorchKernels(), plan=lambda *_: Plan(40, 6, 150))
    expected = brute_force(x, 5, None)
    torch.testing.assert_close(distances, expected[0], rtol=1e-12, atol=0)
    assert torch.equal(indices, expected[1])


def test_more_dimensions_than_the_kernels_take() -> None:
    x = normal(6, 33100)
    distances, indices = search_float(x, 3, kernels=TorchKernels(), plan=lambda *_: Plan(4, 3, 6))
    expected = brute_force(x, 3, None)
    torch.testing.assert_close(distances, expected[0], rtol=1e-12, atol=0)
    assert torch.equal(indices, expected[1])


def test_blocks_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_float, "BLOCK", 64 * 20 * 7)
    x = with_equal_points(150, 20)
    told: list[tuple[int, int]] = []
    found = search_float(x, 100, kernels=TorchKernels(), plan=lambda *_: None, progress=lambda *n: told.append(n))
    assert torch.equal(found[1], brute_force(x, 100, None)[1])
    assert told == [(64, 150), (128, 150), (150, 150)]


def test_a_k_that_there_are_not_points_for_is_refused() -> None:
    with pytest.raises(UsageError, match="k is from 1 to 9 for 10 points"):
        search_float(normal(10, 4), 10, kernels=TorchKernels())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("indices", [True, False])
def test_the_public_search_takes_what_these_give(
    dtype: torch.dtype, indices: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function that the dispatcher calls for CUDA tensors, given those of the CPU."""
    monkeypatch.setattr(cuda, "why_not", lambda device: "")
    monkeypatch.setattr(cuda, "kernels_here", TorchKernels)
    monkeypatch.setattr(cuda_float, "kernels_here", TorchKernels)
    x, reference = pixels(150, 20).to(dtype), pixels(90, 20, 1).to(dtype)
    for among in (None, reference):
        distances, found = distances_module._cuda(x, among, 7, indices, 0)
        expected = knn_distances(x, 7, reference=among, return_indices=True)
        assert torch.equal(distances, expected[0])
        assert torch.equal(found, expected[1] if indices else torch.empty((150, 0), dtype=torch.int64))
