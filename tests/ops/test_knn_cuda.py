"""The CUDA search on a GPU."""

from __future__ import annotations

import pytest
import torch
from test_knn_cuda_search import pixels
from torch import Tensor
from torch_kernels import TorchKernels

from gantk.ops.knn.cuda import search
from gantk.ops.knn.cuda_float import search_float
from gantk.ops.knn.cuda_kernels import NativeKernels, Near, kernels_here, pack, why_not
from gantk.ops.knn.plan import Plan


@pytest.fixture(scope="module", autouse=True)
def gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    if reason := why_not(torch.device("cuda", torch.cuda.current_device())):
        pytest.skip(reason)


@pytest.fixture(scope="module")
def kernels() -> NativeKernels:
    found = kernels_here()
    assert isinstance(found, NativeKernels)
    return found


def everything(x: Tensor, k: int, reference: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """All distances in float64 products, which hold these integers; ties by index."""
    a, b = x.double(), (x if reference is None else reference).double()
    squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    if reference is None:
        squared.fill_diagonal_(torch.inf)
    found = squared.sort(dim=1, stable=True)
    return found.values[:, :k].long(), found.indices[:, :k]


@pytest.mark.parametrize(
    ("rows", "columns", "dimension"), [(1, 1, 1), (129, 131, 64), (5, 3000, 200), (2500, 700, 784), (300, 300, 33024)]
)
def test_dense_distances(kernels: NativeKernels, rows: int, columns: int, dimension: int) -> None:
    a, b = pixels(rows, dimension, 1), pixels(columns, dimension, 2)
    a[0] = 255
    found = kernels.dense(pack(a.cuda()), pack(b.cuda()))
    assert torch.equal(found.cpu(), TorchKernels().dense(pack(a), pack(b)))


@pytest.mark.parametrize("capacity", [3000, 40])
@pytest.mark.parametrize("levels", [256, 3])
def test_lists_of_pairs_hold_what_is_near(kernels: NativeKernels, levels: int, capacity: int) -> None:
    x = pixels(2500, 100, levels=levels)
    points = pack(x.cuda())
    squared = kernels.dense(points, points)
    thresholds = squared.sort(dim=1).values[:, 60].contiguous()
    near = Near.below(thresholds, capacity)
    kernels.collect_pairs(points, 0, 1280, near)
    kernels.collect_pairs(points, 1280, 2500, near)
    taken = (squared <= thresholds[:, None]).fill_diagonal_(False)
    assert torch.equal(near.counts, taken.sum(1).int())
    keys, counts = near.keys(None)
    for row in torch.randint(0, 2500, (50,), generator=torch.Generator().manual_seed(0)).tolist():
        if int(counts[row]) >= 0:
            columns = taken[row].nonzero()[:, 0]
            expected = (squared[row, columns].long() << 32) | columns
            assert torch.equal(keys[row].sort().values[: len(columns)], expected.sort().values)


@pytest.mark.parametrize("levels", [256, 4])
@pytest.mark.parametrize(("count", "dimension", "k"), [(9000, 784, 100), (5001, 33, 7), (4097, 3072, 20)])
def test_the_search_equals_everything(count: int, dimension: int, k: int, levels: int) -> None:
    x, reference = pixels(count, dimension, levels=levels).cuda(), pixels(4500, dimension, 5, levels=levels).cuda()
    for among in (None, reference):
        distances, indices = search(x, k, among)
        expected = everything(x, k, among)
        assert torch.equal(distances, expected[0])
        assert torch.equal(indices, expected[1])


@pytest.mark.parametrize("plan", [Plan(500, 1, 300), Plan(500, 40, 150), None], ids=["tight", "overflowing", "dense"])
def test_the_search_is_right_whatever_the_plan(plan: Plan | None) -> None:
    x = pixels(5000, 50).cuda()
    distances, indices = search(x, 30, plan=lambda *_: plan)
    expected = everything(x, 30)
    assert torch.equal(distances, expected[0])
    assert torch.equal(indices, expected[1])


def test_a_search_in_groups_and_again_is_the_same() -> None:
    x = pixels(6000, 100).cuda()
    first = search(x, 20)
    for other in (search(x, 20, list_bytes=2**20), search(x, 20)):
        assert torch.equal(first[0], other[0])
        assert torch.equal(first[1], other[1])


def test_sums_beyond_32_bits() -> None:
    x = pixels(40, 3 * 512 * 512).cuda()
    x[0], x[1] = 0, 255
    distances, indices = search(x, 5)
    expected = everything(x, 5)
    assert torch.equal(distances, expected[0])
    assert torch.equal(indices, expected[1])


def test_a_stream_of_its_own() -> None:
    x = pixels(6000, 100).cuda()
    expected = search(x, 20)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        found = search(x.clone(), 20)
        torch.cuda.current_stream().synchronize()
    assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_floats_equal_direct_differences(dtype: torch.dtype) -> None:
    rng = torch.Generator().manual_seed(0)
    normal = torch.randn((5000, 60), dtype=torch.float64, generator=rng)
    for x in (normal.to(dtype).cuda(), (pixels(5000, 60).double() / 255).to(dtype).cuda()):
        distances, indices = search_float(x, 15)
        for first in range(0, 5000, 500):
            rows = slice(first, first + 500)
            squared = (x[rows, None].double() - x.double()).square().sum(2)
            squared[torch.arange(500), torch.arange(first, first + 500)] = torch.inf
            found = squared.sort(dim=1, stable=True)
            torch.testing.assert_close(distances[rows], found.values[:, :15], rtol=1e-12, atol=0)
            assert torch.equal(indices[rows], found.indices[:, :15])
