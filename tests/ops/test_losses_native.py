"""The native losses: the same bits however they are computed, and what torch's tools make of the operators."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import loss_cases as cases
import pytest
import torch
from torch import Tensor

from gantk.errors import FitError, WorkError
from gantk.ops import code_loss, hidden_loss, native, vae_loss
from gantk.ops.losses import fused

pytestmark = pytest.mark.skipif(not native.available("cpu"), reason="there is no native code")


@pytest.fixture(autouse=True)
def native_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "WORTH_A_CALL", 0)


def everything(dtype: torch.dtype) -> list[Tensor]:
    """Losses and gradients of all kinds, on sizes that have tails, several spans and rows of several spans."""
    found: list[Tensor] = []

    def add(function: Callable[..., Any], *inputs: Tensor) -> None:
        leaves = [x.detach().requires_grad_() for x in inputs]
        total = function(*leaves)
        found.extend([total.detach(), *torch.autograd.grad(total, leaves)])

    for shape in ((3, 70001), (5, 77), (300, 3), (4, 9, 64, 65)):
        a, b = cases.draw(*shape, dtype=dtype), cases.draw(*shape, dtype=dtype, seed=1)
        add(hidden_loss, a, b)
        add(lambda a, b: code_loss(a, b, 1), a, b)
    images, target = (cases.draw_images(4, 3, 97, 98, dtype=dtype, seed=seed) for seed in (0, 1))
    mean, log_variance = (cases.draw(4, 19, dtype=dtype, seed=seed, spread=3) for seed in (2, 3))
    for kind in cases.DISTANCES:
        add(lambda *x, kind=kind: vae_loss(*x, kind=kind), images, target, mean, log_variance)
    return found


def digest() -> str:
    """Of the bits of everything in every type."""
    parts = [x.contiguous().view(-1).view(torch.uint8) for dtype in cases.DTYPES for x in everything(dtype)]
    return hashlib.sha256(torch.cat(parts).numpy().tobytes()).hexdigest()


def test_threads_change_no_bit() -> None:
    expected = digest()
    for threads in (2, 3, 7):
        torch.set_num_threads(threads)
        assert digest() == expected


def test_instruction_sets_change_no_bit() -> None:
    module = native.cpu()
    assert module is not None
    expected = digest()
    for name in module.instruction_sets():
        with native.using(name):
            assert digest() == expected, name


def test_a_forced_instruction_set_changes_no_bit() -> None:
    place = Path(__file__).parent
    code = "import test_losses_native as t; t.fused.WORTH_A_CALL = 0; print(t.native.instruction_set(), t.digest())"
    environment = {**os.environ, "GANTK_CPU": "portable", "PYTHONPATH": str(place)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["portable", digest()]


@pytest.mark.parametrize("offset", [0, 1, 7])
@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
def test_large_gradients(dtype: torch.dtype, offset: int) -> None:
    """From 32 MiB on they are asked to lie in large pages; rows of any length, from any address on."""
    rows, columns = 3, (32 << 20) // dtype.itemsize // 3 + 3
    a = torch.linspace(-1, 1, offset + rows * columns).to(dtype)[offset:].view(rows, columns)
    b = a.flip(0)
    b[1] = 0.25
    x, y = a.clone().requires_grad_(), b.clone().requires_grad_()
    of_x, of_y = torch.autograd.grad(hidden_loss(x, y), (x, y))
    for row in range(rows):  # one image at a time
        z = a[row : row + 1].clone().requires_grad_()
        (expected,) = torch.autograd.grad(
            hidden_loss(z, b[row : row + 1]), z, torch.tensor(1 / rows, dtype=wide(dtype))
        )
        close = {"rtol": 4 * torch.finfo(dtype).eps, "atol": 0}
        torch.testing.assert_close(of_x[row], expected[0], **close)
        assert torch.equal(of_y[row], -of_x[row])


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("rows", [2, 65])
def test_gradients_of_the_forward_are_those_of_the_backward(rows: int, dtype: torch.dtype, p: int) -> None:
    a, b = cases.draw(rows, 7001, dtype=dtype), cases.draw(rows, 7001, dtype=dtype, seed=1)
    b[-1] = a[-1]
    ops = torch.ops.gantk
    loss, norms = ops.norm_loss(a, b, p)
    expected = ops.norm_loss_backward(torch.ones_like(loss), a, b, norms, p, True, True)
    for of_b in (False, True):
        found = ops.norm_loss_with_gradient(a, b, p, of_b)
        for one, other in zip(found, (loss, norms, expected[of_b]), strict=True):
            assert torch.equal(one, other)
        assert not found[2][-1].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_gradients_of_halves_are_not_kept(dtype: torch.dtype) -> None:
    with pytest.raises(FitError, match="two float32 or two float64"):
        torch.ops.gantk.norm_loss_with_gradient(
            torch.zeros(2, 3, dtype=dtype), torch.zeros(2, 3, dtype=dtype), 2, False
        )


@pytest.mark.parametrize("factor", [1.0, 0.7])
def test_every_backward_of_a_graph_gives_the_same_bits(factor: float) -> None:
    """The first gets what the forward left, and may write to it; the next ones compute it again."""
    a, b = (cases.draw(3, 4, 50, dtype=torch.float32, seed=seed).requires_grad_() for seed in (0, 1))
    grad = torch.tensor(factor)
    loss = hidden_loss(a, b)
    first = torch.autograd.grad(loss, (a, b), grad, retain_graph=True)
    kept = [x.clone() for x in first]
    for x in first:
        x.zero_()
    for found, expected in zip(torch.autograd.grad(loss, (a, b), grad, retain_graph=True), kept, strict=True):
        assert torch.equal(found, expected)
    for x, expected in zip((a, b), kept, strict=True):
        (alone,) = torch.autograd.grad(hidden_loss(a, b), x, grad)
        assert torch.equal(alone, expected)
        (alone,) = torch.autograd.grad(hidden_loss(*(y if y is x else y.detach() for y in (a, b))), x, grad)
        assert torch.equal(alone, expected)
    torch.autograd.grad(loss, b, grad)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, b, grad)


def test_a_changed_input_is_noticed_by_a_backward_that_has_its_gradient() -> None:
    a, b = (cases.draw(3, 4, dtype=torch.float32, seed=seed) for seed in (0, 1))
    loss = hidden_loss(a, b.requires_grad_())
    a.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[no-untyped-call]


def test_what_a_gradient_scaler_saves_has_not_vanished_before() -> None:
    a, b = torch.zeros(8, 300, dtype=torch.float16), torch.full((8, 300), 1e-3, dtype=torch.float16)
    b[:, 0] = 60000
    scale = torch.tensor(65536.0)
    (found,) = torch.autograd.grad(hidden_loss(a, b.requires_grad_()), b, scale)
    expected = scale * b.detach().double() / 60000 / 8
    assert not (expected / scale).half()[:, 1:].any()
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=0)


def wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
@pytest.mark.parametrize("grad", [True, False])
def test_opcheck(dtype: torch.dtype, grad: bool) -> None:
    def leaf(*shape: int, seed: int = 0) -> Tensor:
        return cases.draw(*shape, dtype=dtype, seed=seed).requires_grad_(grad)

    ops = torch.ops.gantk
    last = leaf(2, 3, 4, 5, seed=6).detach().contiguous(memory_format=torch.channels_last).requires_grad_(grad)
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (ops.norm_loss, (leaf(3, 5), leaf(3, 5, seed=1), 2)),
        (ops.norm_loss, (leaf(5, 3).T, leaf(3, 5, seed=1), 1)),
        (ops.norm_loss, (last, last.detach() + 1, 2)),
        (ops.vae_loss, (leaf(2, 3), leaf(2, 3, seed=1), leaf(2, 4, seed=2), leaf(2, 4, seed=3), "l1", 0.5)),
    ]
    if dtype in (torch.float32, torch.float64):
        calls += [
            (ops.norm_loss_with_gradient, (leaf(3, 5), leaf(3, 5, seed=1), 2, False)),
            (ops.norm_loss_with_gradient, (leaf(5, 3).T, leaf(3, 5, seed=1), 1, True)),
            (ops.norm_loss_with_gradient, (last, last.detach() + 1, 2, False)),
            (ops.norm_loss_with_gradient, (leaf(3, 5).detach(), leaf(3, 5, seed=1), 2, True)),
        ]
    for op, arguments in calls:
        torch.library.opcheck(op.default, arguments)
    a, b, scalar = leaf(3, 5).detach(), leaf(3, 5, seed=1).detach(), torch.ones((), dtype=wide(dtype))
    norms = torch.ones(3, dtype=wide(dtype))
    torch.library.opcheck(ops.norm_loss_backward.default, (scalar, a, b, norms, 2, False, True))
    arguments = (scalar, a, b, a, b, "mse", 0.5, [True, False, True, False])
    torch.library.opcheck(ops.vae_loss_backward.default, arguments)


def test_compile_traces_them_without_a_break() -> None:
    def total(a: Tensor, b: Tensor, m: Tensor, v: Tensor) -> Tensor:
        return 2 * hidden_loss(a, b) + code_loss(m, v, 1) + vae_loss(a, b, m, v)

    inputs = [
        cases.draw(*shape, dtype=torch.float32, seed=i) for i, shape in enumerate([(4, 3, 5, 6)] * 2 + [(4, 7)] * 2)
    ]
    traced = torch.compile(total, fullgraph=True, backend="aot_eager")
    leaves = [x.requires_grad_() for x in inputs]
    expected, found = total(*leaves), traced(*leaves)
    assert torch.equal(found, expected)
    for one, other in zip(torch.autograd.grad(found, leaves), torch.autograd.grad(expected, leaves), strict=True):
        torch.testing.assert_close(one, other)


def test_an_operator_without_native_code_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "cpu", lambda: None)
    with pytest.raises(WorkError, match="need native code for cpu"):
        torch.ops.gantk.norm_loss(torch.ones(1, 1), torch.ones(1, 1), 2)


@pytest.mark.parametrize("other", [torch.zeros(4, 8), torch.zeros(4, 9, dtype=torch.float64)])
def test_the_operator_itself_refuses_what_it_would_read_beyond(other: Tensor) -> None:
    with pytest.raises(FitError, match="two tensors of the same shape"):
        torch.ops.gantk.norm_loss(torch.zeros(4, 9), other, 2)
