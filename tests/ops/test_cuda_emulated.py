"""The CUDA kNN kernels, compiled for the CPU's emulation of CUDA threads, against plain torch.

Every size meets every order of blocks and threads, and every capacity of lists meets both; not all three each other.
What finds faults: sizes on both sides of a tile (128) and of a slice (64 bytes); lists that fit and that overflow; more
bands of tiles than one; more hits than wait in shared memory; the largest distance; launches that share the work.
"""

from __future__ import annotations

import pytest
import torch
from emulated import ROOT, SCHEDULES, Schedule, build, pairwise, schedule_ids, use
from test_knn_cuda_search import pixels
from torch import Tensor
from torch_kernels import TorchKernels, brute_force

from gantk.ops.knn import cuda
from gantk.ops.knn.cuda import search
from gantk.ops.knn.cuda_kernels import ByteRows, NativeKernels, Near, pack
from gantk.ops.knn.plan import Plan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kernels() -> NativeKernels:
    sources = ROOT / "csrc" / "knn"
    return NativeKernels(build("bind_knn_cuda", sources / "knn.cu", sources / "bind_cuda.cpp"))


@pytest.fixture
def schedule(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Schedule:
    use(request.param, monkeypatch)
    return request.param  # type: ignore[no-any-return]


def test_the_python_side_knows_the_kernels_numbers(kernels: NativeKernels) -> None:
    assert kernels.tile == TorchKernels.tile == 128
    assert kernels.band == TorchKernels.band
    assert kernels.largest_dimension == TorchKernels.largest_dimension
    assert kernels.largest_dimension * 255**2 < 2**31
    assert kernels.largest_dimension >= cuda.SLICE


@pytest.mark.parametrize(
    ("size", "schedule"),
    [
        ((1, 1, 1), SCHEDULES[0]),
        ((129, 131, 64), SCHEDULES[1]),
        ((128, 256, 65), SCHEDULES[2]),
        ((5, 300, 200), SCHEDULES[0]),
        ((300, 5, 784), SCHEDULES[1]),
        ((128, 128, 321), SCHEDULES[2]),
    ],
    indirect=["schedule"],
    ids=schedule_ids,
)
def test_dense_distances(kernels: NativeKernels, size: tuple[int, int, int], schedule: Schedule) -> None:
    rows, columns, dimension = size
    a, b = pack(pixels(rows, dimension, 1)), pack(pixels(columns, dimension, 2))
    assert torch.equal(kernels.dense(a, b), TorchKernels().dense(a, b))


def test_dense_distances_up_to_the_largest(kernels: NativeKernels) -> None:
    x = torch.zeros((3, kernels.largest_dimension), dtype=torch.uint8)
    x[1] = 255
    x[2, ::2] = 255
    packed = pack(x)
    squared = kernels.dense(packed, packed)
    assert squared.tolist() == TorchKernels().dense(packed, packed).tolist()
    assert int(squared.max()) == kernels.largest_dimension * 255**2


def entries(near: Near) -> list[list[int]]:
    keys, _ = near.keys(None)
    return [sorted(row[: int(count)]) for row, count in zip(keys.tolist(), near.counts, strict=True)]


def assert_lists_equal(near: Near, expected: Near) -> None:
    """Counts, and the entries of lists that have not overflowed; those that have hold some of them, each once."""
    assert torch.equal(near.counts, expected.counts)
    capacity = near.lists.shape[1]
    full = Near(near.thresholds, near.lists, near.counts.clamp(max=capacity))
    wanted = Near(expected.thresholds, expected.lists, expected.counts.clamp(max=expected.lists.shape[1]))
    for mine, theirs in zip(entries(full), entries(wanted), strict=True):
        assert len(set(mine)) == len(mine)
        if len(theirs) <= capacity:
            assert mine == theirs
        else:
            assert set(mine) < set(theirs)


def thresholds_of(rows: ByteRows, columns: ByteRows, rank: int) -> Tensor:
    """Of every kind: nothing, equal points only, some, everything."""
    found = TorchKernels().dense(rows, columns).sort(dim=1).values[:, rank]
    found[::7] = -1
    found[1::7] = 0
    found[2::7] = 2**31 - 1
    return found


@pytest.mark.parametrize(
    ("size", "capacity", "schedule"),
    pairwise([(131, 300, 70), (256, 128, 64), (3, 1, 5)], [400, 9], SCHEDULES),
    indirect=["schedule"],
    ids=schedule_ids,
)
def test_collected_lists(kernels: NativeKernels, size: tuple[int, int, int], capacity: int, schedule: Schedule) -> None:
    rows, columns, dimension = size
    a, b = pack(pixels(rows, dimension, 1, levels=4)), pack(pixels(columns, dimension, 2, levels=4))
    thresholds = thresholds_of(a, b, min(20, columns - 1))
    near, expected = Near.below(thresholds, capacity), Near.below(thresholds, 400)
    kernels.collect(a, b, near)
    TorchKernels().collect(a, b, expected)
    assert_lists_equal(near, expected)


@pytest.mark.parametrize(
    ("size", "capacity", "schedule"),
    pairwise([(300, 70), (256, 64), (2, 3), (129, 300)], [400, 9], SCHEDULES),
    indirect=["schedule"],
    ids=schedule_ids,
)
def test_collected_pairs(kernels: NativeKernels, size: tuple[int, int], capacity: int, schedule: Schedule) -> None:
    count, dimension = size
    points = pack(pixels(count, dimension, 1, levels=4))
    thresholds = thresholds_of(points, points, min(20, count - 1))
    near, expected = Near.below(thresholds, capacity), Near.below(thresholds, 400)
    kernels.collect_pairs(points, 0, count, near)
    TorchKernels().collect_pairs(points, 0, count, expected)
    assert_lists_equal(near, expected)


def test_pairs_in_several_launches(kernels: NativeKernels) -> None:
    points = pack(pixels(300, 30, levels=4))
    thresholds = thresholds_of(points, points, 12)
    near, expected = Near.below(thresholds, 300), Near.below(thresholds, 300)
    for first, last in ((0, 128), (128, 256), (256, 300)):
        kernels.collect_pairs(points, first, last, near)
    TorchKernels().collect_pairs(points, 0, 300, expected)
    assert_lists_equal(near, expected)


def test_more_bands_of_tiles_than_one(kernels: NativeKernels) -> None:
    points = pack(pixels(17 * 128 + 1, 10))
    thresholds = kernels.dense(points, points.part(slice(0, 40))).sort(dim=1).values[:, 0] // 2
    near, expected = Near.below(thresholds, 400), Near.below(thresholds, 400)
    kernels.collect_pairs(points, 0, len(points), near)
    TorchKernels().collect_pairs(points, 0, len(points), expected)
    assert_lists_equal(near, expected)


def test_hits_beyond_what_waits_in_shared_memory(kernels: NativeKernels) -> None:
    """All of a tile's 128 pairs of a thread are near, of which 48 fit."""
    points = pack(pixels(130, 8))
    thresholds = torch.full((130,), 2**31 - 1, dtype=torch.int32)
    near, expected = Near.below(thresholds, 200), Near.below(thresholds, 200)
    kernels.collect_pairs(points, 0, 130, near)
    TorchKernels().collect_pairs(points, 0, 130, expected)
    assert near.counts.tolist() == [129] * 130
    assert_lists_equal(near, expected)


@pytest.mark.parametrize(
    ("plan", "levels", "schedule"),
    [
        (None, 256, SCHEDULES[0]),
        (Plan(40, 8, 200), 256, SCHEDULES[1]),
        (Plan(40, 3, 30), 2, SCHEDULES[2]),
    ],
    indirect=["schedule"],
    ids=schedule_ids,
)
def test_the_whole_search(kernels: NativeKernels, plan: Plan | None, levels: int, schedule: Schedule) -> None:
    x, reference = pixels(270, 100, levels=levels), pixels(140, 100, 3, levels=levels)
    for among in (None, reference):
        distances, indices = search(x, 9, among, kernels=kernels, plan=lambda *_: plan)
        expected = brute_force(x, 9, among)
        assert torch.equal(distances, expected[0])
        assert torch.equal(indices, expected[1])


def test_what_the_kernels_cannot_take_is_refused(kernels: NativeKernels) -> None:
    points = pack(pixels(130, 8))
    odd = ByteRows(torch.zeros((4, 63), dtype=torch.uint8), torch.zeros(4, dtype=torch.int32))
    with pytest.raises(ValueError, match="no multiple of 64"):
        kernels.dense(odd, odd)
    with pytest.raises(ValueError, match="does not begin at a tile"):
        kernels.collect_pairs(points, 3, 130, Near.below(points.norms, 4))
