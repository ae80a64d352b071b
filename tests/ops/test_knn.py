"""The exact nearest-neighbor search: every instruction set against integer and float64 arithmetic."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from gantk.errors import SlowFallback, UsageError
from gantk.ops import knn_distances, native
from gantk.ops.knn import plain
from gantk.ops.knn.plan import MOST_RANKS, Plan

SETS = native.state("cpu").usable or ("none",)


@pytest.fixture(params=["reference", *native.INSTRUCTION_SETS])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each way to search that this machine has."""
    if request.param == "reference":
        monkeypatch.setattr(native, "cpu", lambda: None)
        yield request.param
        return
    if request.param not in SETS:
        pytest.skip(f"this machine and build have {', '.join(SETS)}, not {request.param}")
    with native.using(request.param):
        yield request.param


_known: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}


def brute(x: Tensor, k: int, reference: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Sorted by distance and then by index, in numpy; integers for bytes, direct differences otherwise."""
    key = (k, *((t.dtype, t.shape, t.contiguous().numpy().tobytes()) for t in (x, reference) if t is not None))
    if key not in _known:  # the same points come with every way to search
        _known[key] = _brute(x, k, reference)
    return _known[key]


def _brute(x: Tensor, k: int, reference: Tensor | None) -> tuple[Tensor, Tensor]:
    among = (x if reference is None else reference).flatten(1).numpy()
    queries = x.flatten(1).numpy()
    wide = np.int64 if queries.dtype == np.uint8 else np.float64
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), np.int64)
    for row, query in enumerate(queries.astype(wide)):
        squared = ((among.astype(wide) - query) ** 2).sum(1)
        order = np.argsort(squared, kind="stable")
        if reference is None:
            order = order[order != row]
        indices[row] = order[:k]
        distances[row] = np.sqrt(squared[order[:k]].astype(np.float64))
    return torch.from_numpy(distances), torch.from_numpy(indices)


def assert_exact(distances: Tensor, expected: Tensor) -> None:
    """Squared, they are the same integers."""
    assert torch.equal(distances.square().round(), expected.square().round())
    torch.testing.assert_close(distances, expected, rtol=3e-16, atol=0)


def random_bytes(*shape: int, most: int = 255, seed: int = 0) -> Tensor:
    return torch.randint(0, most + 1, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def random_floats(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(
    ("n", "dim", "k"), [(2, 1, 1), (3, 1, 2), (33, 63, 32), (97, 64, 5), (200, 65, 199), (1100, 17, 3), (400, 1100, 20)]
)
@pytest.mark.parametrize("most", [1, 255])
def test_bytes_equal_integer_arithmetic(way: str, n: int, dim: int, k: int, most: int) -> None:
    x = random_bytes(n, dim, most=most)
    distances, indices = knn_distances(x, k, return_indices=True)
    expected, order = brute(x, k)
    assert distances.dtype == torch.float64
    assert_exact(distances, expected)
    assert torch.equal(indices, order)


def test_limits_guessed_from_a_sample_lose_nothing(way: str) -> None:
    # Large enough for a sample; clusters of unequal sizes are where its guess is often too low.
    centers = random_bytes(40, 24, seed=1).repeat_interleave(torch.arange(1, 41) * 3, dim=0)
    x = (centers.int() + random_bytes(len(centers), 24, most=9, seed=2).int()).clamp(0, 255).to(torch.uint8)
    assert len(x) > 2000
    for k in (1, 12, 90):
        distances, indices = knn_distances(x, k, return_indices=True)
        expected, order = brute(x, k)
        assert_exact(distances, expected)
        assert torch.equal(indices, order)


def test_white_and_black_images_do_not_overflow(way: str) -> None:
    # 255² times 3 · 104 · 105 dimensions is within 31 bits, and 3 · 106 · 106 is beyond.
    for side in (104, 106):
        x = torch.zeros(4, 3, side, side, dtype=torch.uint8)
        x[1] = 255
        x[2, :, 0] = 255
        x[3, 0, 0, 0] = 1
        distances, indices = knn_distances(x, 3, return_indices=True)
        expected, order = brute(x, 3)
        assert_exact(distances, expected)
        assert torch.equal(indices, order)
        assert distances[1, 1] == pytest.approx(255 * (3 * side * side) ** 0.5, rel=1e-4)


def test_screens_that_are_rounded_below_zero(way: str) -> None:
    # From 66,052 dimensions on, squared distances are shifted by two bits and more before they are compared: near
    # duplicates then differ by −1. Among a reference, with more references than queries and with fewer.
    x = torch.zeros(3, 66_560, dtype=torch.uint8)
    x[0, :4] = torch.tensor([1, 2, 1, 1])
    x[1, :4] = torch.tensor([0, 1, 1, 1])
    x[2, :160] = 10
    for queries, reference in ((x, x.flip(0)), (x[:1], x.repeat(100, 1)), (x.repeat(100, 1), x)):
        for points in (lambda t: t, lambda t: t.float()):
            distances, indices = knn_distances(points(queries), 3, reference=points(reference), return_indices=True)
            expected, order = brute(queries, 3, reference)
            assert_exact(distances, expected)
            assert torch.equal(indices, order)


@pytest.mark.parametrize(("offset", "spread"), [(1e8, 3e-7), (1e3, 1e-12), (1e6, 1e-9), (0.0, 1e-30), (-1e8, 1.0)])
def test_small_differences_between_large_numbers(way: str, offset: float, spread: float) -> None:
    # A place on the grid, offset + step · byte, has too few digits here to say how far a point is from it.
    x = offset + spread * random_floats(300, 256, dtype=torch.float64)
    distances, _ = knn_distances(x, 5, return_indices=True)
    torch.testing.assert_close(distances, brute(x, 5)[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("value", [5e-324, 1e-320, 1e-160, 1e-100, 1e149])
def test_values_near_the_ends_of_float64(way: str, value: float) -> None:
    x = torch.zeros(30, 3, dtype=torch.float64)
    x[7, 1] = value
    x[8] = 1e-3 if value > 1 else 0
    distances, _ = knn_distances(x, 29, return_indices=True)
    torch.testing.assert_close(distances, brute(x, 29)[0], rtol=1e-12, atol=0)


@pytest.mark.slow
def test_photographs_of_512_pixels(way: str) -> None:
    x = random_bytes(7, 3, 512, 512)
    x[3] = 255 - x[2]
    distances, indices = knn_distances(x, 6, return_indices=True)
    expected, order = brute(x, 6)
    assert_exact(distances, expected)
    assert torch.equal(indices, order)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "dim", "k"), [(2, 1, 1), (100, 3, 99), (900, 40, 10), (300, 1030, 7)])
def test_floats_are_as_exact_as_direct_differences(way: str, dtype: torch.dtype, n: int, dim: int, k: int) -> None:
    x = random_floats(n, dim, dtype=dtype)
    distances, indices = knn_distances(x, k, return_indices=True)
    expected, order = brute(x, k)
    torch.testing.assert_close(distances, expected, rtol=1e-12, atol=0)
    assert torch.equal(indices, order)


def test_near_duplicates_far_from_the_origin(way: str) -> None:
    # |a|² + |b|² − 2ab has nothing left here in float32, and little in float64.
    x = random_floats(500, 20, dtype=torch.float64) + 1e4
    x[250:] = x[:250] + random_floats(250, 20, dtype=torch.float64, seed=1) * 1e-7
    distances, _ = knn_distances(x, 4, return_indices=True)
    expected, _ = brute(x, 4)
    torch.testing.assert_close(distances, expected, rtol=1e-12, atol=0)
    assert distances[:, 0].max() < 1e-5


def test_outliers_and_dimensions_of_unequal_scale(way: str) -> None:
    x = random_floats(1500, 12)
    x[7] *= 1e6
    x[8, 3] = -1e12
    x[:, 5] *= 1000
    for points in (x, x[:, :1], torch.cat([x, x])):
        distances, _ = knn_distances(points, 9, return_indices=True)
        torch.testing.assert_close(distances, brute(points, 9)[0], rtol=1e-12, atol=0)


def test_floats_on_the_grid_of_bytes_agree_with_bytes(way: str) -> None:
    x = random_bytes(700, 30)
    distances, indices = knn_distances(x.double(), 12, return_indices=True)
    expected, order = knn_distances(x, 12, return_indices=True)
    assert_exact(distances, expected)
    assert torch.equal(indices, order)


def test_a_point_is_not_its_own_neighbor_and_its_copy_is(way: str) -> None:
    x = random_bytes(50, 8)
    x = torch.cat([x, x[:10], x[:10]])
    distances, indices = knn_distances(x, 3, return_indices=True)
    assert not (indices == torch.arange(70)[:, None]).any()
    assert torch.equal(distances[:10, :2], torch.zeros(10, 2, dtype=torch.float64))
    assert torch.equal(indices[:10, :2], torch.stack([torch.arange(50, 60), torch.arange(60, 70)], 1))
    assert (distances[:, 2] > 0).all()


def test_of_equally_far_points_the_first_comes_first(way: str) -> None:
    x = torch.full((3000, 5), 7, dtype=torch.uint8)
    for points in (x, x.float()):
        distances, indices = knn_distances(points, 4, return_indices=True)
        assert not distances.any()
        assert indices[0].tolist() == [1, 2, 3, 4]
        assert indices[2].tolist() == [0, 1, 3, 4]
        assert indices[2999].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_among_a_reference(way: str, dtype: torch.dtype) -> None:
    x, reference = random_bytes(41, 3, 5, 4, seed=1).to(dtype), random_bytes(1300, 3, 5, 4, seed=2).to(dtype)
    x[5] = reference[9]
    distances, indices = knn_distances(x, 30, reference=reference, return_indices=True)
    expected, order = brute(x, 30, reference)
    torch.testing.assert_close(distances, expected, rtol=1e-12, atol=0)
    assert torch.equal(indices, order)
    assert distances[5, 0] == 0
    everything = knn_distances(x, 1300, reference=reference)
    assert everything.shape == (41, 1300)
    assert knn_distances(x[:0], 3, reference=reference).shape == (0, 3)


def test_the_same_bits_from_any_number_of_threads_and_any_block(way: str) -> None:
    before = torch.get_num_threads()
    for x in (random_bytes(1500, 50, most=3), random_floats(1500, 50)):
        found = []
        try:
            for threads, block in ((1, None), (2, 100), (5, 7), (3, 10**12)):
                torch.set_num_threads(threads)
                found.append(knn_distances(x, 20, return_indices=True, block=block))
        finally:
            torch.set_num_threads(before)
        for distances, indices in found[1:]:
            assert torch.equal(distances, found[0][0])
            assert torch.equal(indices, found[0][1])


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    x = random_bytes(20, 4)
    assert torch.equal(knn_distances(x, np.int64(3), block=np.int32(7)), knn_distances(x, 3))


def test_views_and_half_precision(way: str) -> None:
    x = random_bytes(60, 6, 10)
    columns = x.transpose(1, 2)[::2]
    assert_exact(knn_distances(columns, 3), brute(columns, 3)[0])
    halves = random_floats(80, 9).to(torch.bfloat16)
    torch.testing.assert_close(knn_distances(halves, 3), brute(halves.float(), 3)[0], rtol=1e-12, atol=0)


def test_progress_is_told_up_to_the_end(way: str) -> None:
    told: list[float] = []
    knn_distances(random_bytes(3000, 300), 5, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_an_exception_of_progress_ends_the_search(way: str) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        knn_distances(random_bytes(12000, 400), 5, progress=stop)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: knn_distances(torch.zeros(5, 2, dtype=torch.int64), 1), "uint8, such as images, or float"),
        (lambda: knn_distances(torch.zeros(5), 1), r"\[N, D\] or \[N, C, H, W\]"),
        (lambda: knn_distances(torch.zeros(5, 0), 1), "with non-empty points"),
        (lambda: knn_distances(np.zeros((5, 2)), 1), "torch.from_numpy"),
        (lambda: knn_distances(torch.zeros(5, 2), 5), "k is from 1 to 4 among 5 points, not 5"),
        (lambda: knn_distances(torch.zeros(5, 2), 0), "k is from 1 to 4"),
        (lambda: knn_distances(torch.zeros(5, 2), 2.0), "k is an integer, not 2.0"),
        (lambda: knn_distances(torch.zeros(5, 2), True), "k is an integer, not True"),
        (lambda: knn_distances(torch.zeros(1, 2), 1), "expected at least 2"),
        (lambda: knn_distances(torch.zeros(0, 2), 1), "x contains no points"),
        (lambda: knn_distances(torch.zeros(5, 2), 1, reference=torch.zeros(0, 2)), "reference contains no points"),
        (lambda: knn_distances(torch.zeros(5, 2).to_sparse(), 1), "dense tensor, not sparse_coo"),
        (lambda: knn_distances(torch.zeros(5, 2), 1, progress=3), "progress is a function"),
        (lambda: knn_distances(torch.zeros(5, 2), 6, reference=torch.zeros(5, 2)), "k is from 1 to 5 among 5"),
        (lambda: knn_distances(torch.zeros(5, 2), 1, reference=torch.zeros(5, 3)), "expected the same"),
        (lambda: knn_distances(torch.zeros(5, 2), 1, reference=torch.zeros(5, 2).double()), "expected the same"),
        (lambda: knn_distances(torch.tensor([[0.0], [torch.nan]]), 1), "x contains NaN"),
        (lambda: knn_distances(torch.tensor([[0.0], [torch.inf]]), 1), "x contains NaN or infinite"),
        (lambda: knn_distances(torch.tensor([[0.0], [1e200]], dtype=torch.float64), 1), "overflow"),
        (lambda: knn_distances(torch.zeros(5, 2), 1, block=-1), "block is a number of points"),
        (lambda: knn_distances(torch.zeros(5, 2, requires_grad=True), 1), "detach"),
    ],
)
def test_bad_input_is_refused_in_one_line(given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        given()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_the_reference_warns_where_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "cpu", lambda: None)
    native.warn_missing.cache_clear()
    with pytest.warns(SlowFallback, match="knn_distances") as caught:
        knn_distances(random_bytes(2000, 600), 2)
    assert caught[0].filename == __file__, "it points at the caller, not into gantk or torch"


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_operator_is_what_torch_expects_of_one(dtype: torch.dtype) -> None:
    x, reference = random_bytes(30, 12).to(dtype), random_bytes(40, 12, seed=1).to(dtype)
    for arguments in ((x, None, 3, True, 0), (x, reference, 3, False, 16), (x[:0], reference, 3, True, 0)):
        torch.library.opcheck(torch.ops.gantk.knn_distances.default, arguments)


def test_the_reference_is_the_same_search() -> None:
    x = random_bytes(300, 20, most=2)
    distances, indices = plain.search(x, None, 7, True, 64, None)
    assert_exact(distances, brute(x, 7)[0])
    assert torch.equal(indices, brute(x, 7)[1])


@pytest.mark.skipif(native.cpu() is None, reason="no native code in this installation")
def test_ctrl_c_ends_a_search() -> None:
    code = (
        "import os, signal, torch; from gantk.ops import knn_distances\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job of a shell ignores it
        "x = torch.randint(0, 256, (40000, 1024), dtype=torch.uint8)\n"
        "try:\n    knn_distances(x, 5, progress=lambda share: os.kill(os.getpid(), signal.SIGINT))\n"
        "except KeyboardInterrupt:\n    print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "stopped", done.stderr


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("columns", "k"), [(10, 3), (1023, 5), (60000, 1), (60000, 100), (60000, 59999), (2000, 1999)])
def test_every_plan_of_the_cpu_fits_its_kernels(columns: int, k: int, exact: bool) -> None:
    plan = Plan.for_shrinking_lists(columns, k, exact=exact)
    assert plan.capacity > k
    assert plan.rank <= MOST_RANKS
    assert plan.rank <= plan.sample <= columns // 16
    assert (plan.rank == 0) == (plan.sample == 0)
