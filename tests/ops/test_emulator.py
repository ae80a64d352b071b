"""The CPU emulation of CUDA that other tests rely on."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from emulated import EMULATOR, SCHEDULES, build
from torch import Tensor


@pytest.fixture(scope="module")
def kernels() -> ModuleType:
    return build("bind_self_test", EMULATOR / "self_test.cu")


@pytest.fixture(params=SCHEDULES, ids="-".join)
def schedule(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_EMULATOR_ORDER", request.param[0])
    monkeypatch.setenv("GANTK_EMULATOR_COPIES", request.param[1])


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize("threads", [32, 96, 256])
def test_shuffles_and_barriers_add_up(kernels: ModuleType, threads: int) -> None:
    values = torch.arange(1000, dtype=torch.float32)
    sums = torch.empty(-(-1000 // threads))
    kernels.block_sums(values.data_ptr(), sums.data_ptr(), 1000, threads)
    assert sums.tolist() == [float(part.sum()) for part in values.split(threads)]


@pytest.mark.usefixtures("schedule")
def test_lanes_of_different_masks_do_not_meet(kernels: ModuleType) -> None:
    values = torch.arange(32, dtype=torch.int32) * 7 % 13
    found = torch.empty(32, dtype=torch.int32)
    kernels.scattered_halves(values.data_ptr(), found.data_ptr())
    odd = sum(int(value) % 2 << lane for lane, value in enumerate(values))
    votes = [odd & 0xFFFF] * 16 + [odd & 0xFFFF0000] * 16
    taken = [int(values[3])] * 16 + [int(values[max(lane - 2, lane if lane < 18 else 0)]) for lane in range(16, 32)]
    assert [value & 0xFFFFFFFF for value in found.tolist()] == [a + b for a, b in zip(votes, taken, strict=True)]


def test_a_missing_barrier_shows(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for order in ("forward", "reverse"):
        monkeypatch.setenv("GANTK_EMULATOR_ORDER", order)
        out = torch.empty(64, dtype=torch.int32)
        kernels.racing(out.data_ptr(), 64)
        found.append(out.tolist())
    assert found[0] != found[1]


def test_a_missing_wait_shows(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    source = torch.arange(144, dtype=torch.uint8)
    source = source[-source.data_ptr() % 16 :][:128]
    expected = source.view(8, 16) * torch.tensor([1, 0] * 4, dtype=torch.uint8)[:, None]
    out = torch.empty((8, 16), dtype=torch.uint8)
    for copies, wait, right in (("late", True, True), ("early", True, True), ("late", False, False)):
        monkeypatch.setenv("GANTK_EMULATOR_COPIES", copies)
        kernels.copied(source.data_ptr(), out.data_ptr(), wait)
        assert torch.equal(out, expected) == right


def test_threads_that_wait_for_nobody_are_an_error(kernels: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="deadlock"):
        kernels.waiting_forever()
    test_shuffles_and_barriers_add_up(kernels, 32)  # and the next launch works


def fragments(matrix: Tensor, shape: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    """What each lane holds of a matrix, by a layout as CUTLASS writes it.

    The shape counts (t, group, values …); an element's place in the matrix, columns after one another, is the dot
    product with the strides. Lane 4 · group + t holds the values, of which the first runs fastest.
    """
    places = torch.zeros((), dtype=torch.long)
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        places = places[..., None] + torch.arange(size) * stride
    # The axes are now the values, the last first, then group, then t.
    values = len(shape) - 2
    places = places.movedim((values, values + 1), (0, 1))
    return matrix.T.reshape(-1)[places.reshape(32, -1)].contiguous()


def test_products_take_fragments_as_the_hardware_does(kernels: ModuleType) -> None:
    """By the layouts that CUTLASS gives for SM80_16x8x32_S32U8U8S32_TN, which the emulation was not written from."""
    rng = torch.Generator().manual_seed(0)
    a = torch.randint(0, 256, (16, 32), dtype=torch.uint8, generator=rng)
    b = torch.randint(0, 256, (8, 32), dtype=torch.uint8, generator=rng)  # N × K, as CUTLASS has it
    c = torch.randint(-1000, 1000, (16, 8), dtype=torch.int32, generator=rng)
    a_parts = fragments(a, (4, 8, 4, 2, 2), (64, 1, 16, 8, 256))
    b_parts = fragments(b, (4, 8, 4, 2), (32, 1, 8, 128))
    sums = fragments(c, (4, 8, 2, 2), (32, 1, 16, 8))
    kernels.one_product(a_parts.data_ptr(), b_parts.data_ptr(), sums.data_ptr())
    expected = a.int() @ b.int().T + c
    assert torch.equal(sums, fragments(expected, (4, 8, 2, 2), (32, 1, 16, 8)))
