"""The CUDA kernels of the losses, compiled for the CPU and run there, and on a GPU where there is one.

Every shape meets every type, norm and order of blocks and threads, two at a time: shapes on both sides of what a thread
takes at once (4), of a block's threads (256), and of a span (8192), where a row's sum takes a second kernel's warp.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import emulated
import loss_cases as cases
import pytest
import torch
from torch import Tensor

from gantk.ops import hidden_loss, native
from gantk.ops.losses import kernels, reference

NUMBERS = {torch.float32: 3e-6, torch.bfloat16: 3e-6, torch.float16: 3e-6, torch.float64: 1e-12}
SHAPES = ((1, 1), (3, 5), (2, 1024), (70, 17), (3, 8193), (2, 2, 97, 99))


@pytest.fixture(scope="module")
def compiled() -> ModuleType:
    folder = emulated.ROOT / "csrc" / "losses"
    return emulated.build("bind_losses_cuda", folder / "losses.cu", folder / "bind_cuda.cpp")


@pytest.fixture(params=emulated.SCHEDULES[2:], ids=str)
def module(compiled: ModuleType, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The emulated kernels in the CPU's place; blocks and threads run in several orders."""
    emulated.use(request.param, monkeypatch)

    def call(name: str, like: Tensor, sums: Any, arguments: tuple[Any, ...]) -> None:
        room = like.new_empty(kernels.room_for(compiled, sums), dtype=torch.float64)
        getattr(compiled, name)(-1, 0, room, *arguments)

    monkeypatch.setitem(kernels._CALLERS, "cpu", call)
    return compiled


def exactly(number: float) -> Tensor:
    return torch.tensor(number, dtype=torch.float64)


def close(found: Tensor, expected: Tensor, dtype: torch.dtype, halves: bool = False) -> None:
    relative = 4 * torch.finfo(dtype).eps if halves else NUMBERS[dtype]
    torch.testing.assert_close(found.double(), expected.double(), rtol=relative, atol=1e-7 if halves else 1e-6)


@pytest.mark.parametrize(
    ("p", "shape", "dtype", "module"),
    emulated.pairwise([1, 2], SHAPES, cases.DTYPES, emulated.SCHEDULES[1:]),
    indirect=["module"],
    ids=str,
)
def test_norms(module: ModuleType, p: int, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    a, b = cases.draw(*shape, dtype=dtype), cases.draw(*shape, dtype=dtype, seed=1)
    b[-1] = a[-1]
    loss, norms = kernels.norm_forward(a, b, p)
    close(loss, exactly(cases.norm(a, b, p)), dtype)
    grad = torch.tensor(0.7, dtype=loss.dtype)
    of_a, of_b = kernels.norm_backward(grad, a, b, norms, p, True, True)
    x, y = a.double().requires_grad_(), b.double().requires_grad_()
    expected = torch.autograd.grad(reference.norm_loss(x, y, p), (x, y), grad.double())
    close(of_a, expected[0], dtype, halves=True)
    close(of_b, expected[1], dtype, halves=True)
    (alone,) = kernels.norm_backward(grad, a, b, norms, p, False, True)
    assert torch.equal(alone, of_b)


@pytest.mark.parametrize("kind", cases.DISTANCES)
def test_vae(module: ModuleType, kind: str) -> None:
    images, target = (
        cases.draw_images(3, 2, 31, 47, dtype=torch.float32, seed=seed).clamp(-0.9, 0.9) for seed in (0, 1)
    )
    codes = [cases.draw(3, 9, dtype=torch.float32, seed=seed) for seed in (2, 3)]
    inputs = [images.bfloat16(), target, *codes]  # as under autocast
    found = kernels.vae_forward(*inputs, kind, 0.5)
    assert found.item() == pytest.approx(cases.vae(*inputs, kind, 0.5), rel=3e-6)
    exact = [x.double().requires_grad_() for x in inputs]
    expected = torch.autograd.grad(reference.vae_loss(*exact, kind, 0.5), exact)
    gradients = kernels.vae_backward(torch.ones(()), *inputs, kind, 0.5, [True] * 4)
    for one, other, x in zip(gradients, expected, inputs, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=4 * torch.finfo(x.dtype).eps, atol=1e-5)


def test_addresses_that_are_not_aligned(module: ModuleType) -> None:
    a, b = cases.draw(2001, dtype=torch.float16)[1:].view(2, 1000), cases.draw(2, 1000, dtype=torch.float16, seed=1)
    close(kernels.norm_forward(a, b, 2)[0], exactly(cases.norm(a, b, 2)), torch.float16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.skipif(not native.available("cuda"), reason="there is no native CUDA code")
@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_on_a_gpu(dtype: torch.dtype) -> None:
    a, b = (cases.draw(5, 3, 130, 131, dtype=dtype, seed=seed).cuda().requires_grad_() for seed in (0, 1))
    found = hidden_loss(a, b)
    close(found.cpu(), exactly(cases.norm(a.cpu(), b.cpu(), 2)), dtype)
    expected = torch.autograd.grad(reference.norm_loss(a, b, 2), (a, b))
    for one, other in zip(torch.autograd.grad(found, (a, b)), expected, strict=True):
        close(one.cpu(), other.cpu(), dtype, halves=True)
    assert torch.equal(hidden_loss(a, b), found)
