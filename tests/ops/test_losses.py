"""The fused losses: values against numpy, gradients against finite differences, layouts, errors, second derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import loss_cases as cases
import pytest
import torch
from torch import Tensor

from gantk.errors import FitError, OptionError
from gantk.ops import code_loss, hidden_loss, native, vae_loss
from gantk.ops.losses import fused


def relative(dtype: torch.dtype) -> float:
    """Of losses against float64 on the same rounded inputs: native sums are the more accurate ones."""
    return 1e-12 if dtype == torch.float64 else 1e-6 if fused.kernels.DEVICES else 1e-5


@pytest.fixture(params=["native", "reference"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways at every size."""
    if request.param == "native":
        if not native.available("cpu"):
            pytest.skip(f"no native code: {native.state('cpu').reason}")
        monkeypatch.setattr(fused, "WORTH_A_CALL", 0)
    else:
        monkeypatch.setattr(fused.kernels, "DEVICES", frozenset())
    return str(request.param)


def gradients(loss: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, inputs, torch.full_like(loss, 0.7))


def close(found: Tensor, expected: float, dtype: torch.dtype) -> None:
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert found.item() == pytest.approx(expected, rel=relative(dtype), abs=1e-6)


def check_gradients(function: Callable[..., Tensor], inputs: list[Tensor], absolute: float = 1e-9) -> None:
    """In a lower precision: what float64 gives, rounded to the inputs' type."""
    exact = [x.detach().double().requires_grad_() for x in inputs]
    inputs = [x.detach().requires_grad_() for x in inputs]
    for found, expected, x in zip(
        gradients(function(*inputs), *inputs), gradients(function(*exact), *exact), inputs, strict=True
    ):
        assert found.dtype == x.dtype
        kind = torch.finfo(x.dtype)
        smallest = kind.smallest_normal * kind.eps
        torch.testing.assert_close(
            found.double(), expected, rtol=max(4 * kind.eps, 1e-12), atol=max(absolute, smallest)
        )


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
@pytest.mark.parametrize("shape", cases.SHAPES, ids=str)
def test_norms(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    a, b = cases.draw(*shape, dtype=dtype), cases.draw(*shape, dtype=dtype, seed=1)
    close(hidden_loss(a, b), cases.norm(a, b, 2), dtype)
    close(code_loss(a, b, 1), cases.norm(a, b, 1), dtype)
    close(code_loss(a, b), cases.norm(a, b, 2), dtype)
    check_gradients(hidden_loss, [a, b])
    check_gradients(lambda a, b: code_loss(a, b, 1), [a, b])


@pytest.mark.parametrize("dtype", cases.DTYPES, ids=str)
@pytest.mark.parametrize("kind", cases.DISTANCES)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 2, 7, 11), (2, 3, 40, 41)], ids=str)
def test_vae(shape: tuple[int, ...], kind: Any, dtype: torch.dtype) -> None:
    images, target = cases.draw_images(*shape, dtype=dtype), cases.draw_images(*shape, dtype=dtype, seed=1).clamp(-1, 1)
    mean, log_variance = cases.draw(4, 9, dtype=dtype, seed=2), cases.draw(4, 9, dtype=dtype, seed=3, spread=3)
    found = vae_loss(images, target, mean, log_variance, kind=kind, beta=0.3)
    expected = cases.vae(images, target, mean, log_variance, kind, 0.3)
    assert found.item() == pytest.approx(expected, rel=10 * relative(dtype))
    inner = images.clamp(-0.9, 0.9)  # float32's rounded pixels lie further from 1e-7 than float64's otherwise
    absolute = 1e-5 if kind == "bce" else 1e-7  # a difference of two numbers of up to 10
    check_gradients(lambda *x: vae_loss(*x, kind=kind, beta=0.3), [inner, target, mean, log_variance], absolute)


def test_divergence_close_to_the_prior_is_exact() -> None:
    images = torch.zeros(2, 1, 2, 2)
    v = torch.linspace(-1e-3, 1e-3, 41).repeat(2, 1)
    expected = cases.vae(images, images, 0 * v, v, "mse", 1.0)
    assert vae_loss(images, images, 0 * v, v).item() == pytest.approx(expected, rel=1e-3)


def test_divergence_far_from_the_prior() -> None:
    images, v = torch.zeros(1, 1), torch.tensor([[-100.0, -50.0, 50.0, 85.0]], requires_grad=True)
    expected = cases.vae(images, images, 0 * v, v, "mse", 1.0)
    found = vae_loss(images, images, 0 * v, v)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    (gradient,) = torch.autograd.grad(found, v)
    torch.testing.assert_close(gradient, 0.5 * torch.expm1(v.detach().double()).float(), rtol=3e-6, atol=0)


def test_gradcheck() -> None:
    a, b = (cases.draw(3, 2, 5, seed=seed).requires_grad_() for seed in (0, 1))
    m, v = (cases.draw(3, 4, seed=seed).requires_grad_() for seed in (2, 3))
    x, y = (0.5 * torch.tanh(z.detach()).requires_grad_() for z in (a, b))
    checks: list[tuple[Callable[..., Any], tuple[Tensor, ...]]] = [
        (hidden_loss, (a, b)),
        (lambda a, b: code_loss(a, b, 1), (a, b)),
        *((lambda *z, kind=kind: vae_loss(*z, kind=kind, beta=2.0), (x, y, m, v)) for kind in cases.DISTANCES),
    ]
    for function, inputs in checks:
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)


def test_second_derivatives_of_a_tensor_with_itself() -> None:
    x = cases.draw(3, 4).requires_grad_()
    # The tensor is the images and the mean, and the code's other half counts nothing: x̂ - x is 0, and μ² / 2 is left.
    (first,) = torch.autograd.grad(vae_loss(x, x, x, torch.zeros(3, 4)), x, create_graph=True)
    torch.testing.assert_close(first, x / len(x))
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(second, torch.full_like(x, 1 / len(x)))


def test_equal_pairs_have_no_gradient_and_disturb_no_others() -> None:
    a = cases.draw(3, 50, dtype=torch.float32)
    b = a.clone()
    b[1] += 1
    for loss in (hidden_loss, lambda a, b: code_loss(a, b, 1)):
        b = b.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(a, b), b)
        assert not gradient[0].any()
        assert not gradient[2].any()
        assert gradient[1].all()


@pytest.mark.parametrize("shape", [(3, 5, 7, 6), (3, 2, 3, 4, 5)])
def test_layouts(shape: tuple[int, ...]) -> None:
    last = torch.channels_last if len(shape) == 4 else torch.channels_last_3d
    a, b = cases.draw(*shape), cases.draw(*shape, seed=1)
    expected = cases.norm(a, b, 2)
    wide = cases.draw(*shape[:-1], 2 * shape[-1], seed=2)
    wide[..., ::2] = a
    odd = {
        "plain": a,
        "channels last": a.contiguous(memory_format=last),
        "strided": wide[..., ::2],
        "transposed": a.transpose(1, 2).contiguous().transpose(1, 2),
    }
    for x in odd.values():
        for y in (b, b.contiguous(memory_format=last)):
            x_leaf, y_leaf = x.detach().requires_grad_(), y.detach().requires_grad_()
            found = hidden_loss(x_leaf, y_leaf)
            assert found.item() == pytest.approx(expected)
            of_x, of_y = gradients(found, x_leaf, y_leaf)
            norms = (a - b).flatten(1).norm(dim=1).view(-1, *[1] * (len(shape) - 1))
            torch.testing.assert_close(of_x, 0.7 * (a - b) / norms / len(a))
            torch.testing.assert_close(of_y, -of_x)


def test_channels_last_gradients_keep_the_layout(way: str) -> None:
    if way == "reference":
        pytest.skip("torch's norm over flattened maps makes contiguous ones")
    a = cases.draw(3, 5, 7, 6).contiguous(memory_format=torch.channels_last)
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(hidden_loss(a, a.detach() + 1), a)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


def test_mixed_types_are_added_up_in_the_wider() -> None:
    a, b = cases.draw(2, 300, dtype=torch.bfloat16), cases.draw(2, 300, dtype=torch.float32, seed=1)
    for x, y in ((a, b), (b, a), (a, b.half())):
        close(hidden_loss(x, y), cases.norm(x, y, 2), torch.float32)
        check_gradients(hidden_loss, [x, y])
    close(hidden_loss(a, b.double()), cases.norm(a, b, 2), torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        close(hidden_loss(a, a + b.bfloat16()), cases.norm(a, a + b.bfloat16(), 2), torch.float32)


def test_only_wanted_gradients() -> None:
    a, b = cases.draw(2, 9).requires_grad_(), cases.draw(2, 9, seed=1)
    hidden_loss(a, b).backward()  # type: ignore[no-untyped-call]
    hidden_loss(b, a).backward()  # type: ignore[no-untyped-call]
    assert a.grad is not None
    assert b.grad is None
    assert not hidden_loss(b, b).requires_grad
    with torch.no_grad():
        assert not hidden_loss(a, b).requires_grad


def test_maps_without_elements_are_at_distance_zero() -> None:
    a = torch.zeros(3, 0, requires_grad=True)
    found = hidden_loss(a, a.detach())
    assert found.item() == 0
    assert torch.autograd.grad(found, a)[0].shape == (3, 0)


def test_nan_stays() -> None:
    x = torch.full((2, 70), float("nan"))
    zero = torch.zeros(2, 70)
    found = [hidden_loss(x, zero), code_loss(x, zero, 1)]
    found += [vae_loss(x, zero, zero, zero, kind=kind) for kind in ("mse", "l1", "bce")]
    found += [vae_loss(zero, zero, x, zero), vae_loss(zero, zero, zero, x)]
    assert all(torch.isnan(term) for term in found)


A, EMPTY = torch.zeros(3, 4), torch.zeros(0, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hidden_loss(A, A[:2]), r"\[3, 4\] and \[2, 4\]; generate as many"),
        (lambda: hidden_loss(EMPTY, EMPTY), r"mean over the batch, but real is \[0, 4\]"),
        (lambda: hidden_loss(A[0], A[0]), "expected a batch as the first dimension"),
        (lambda: hidden_loss(A.int(), A), "real is int32; convert it to float32"),
        (lambda: hidden_loss(A.to_sparse(), A), r"real is a dense tensor, not sparse_coo; use real.to_dense\(\)"),
        (lambda: hidden_loss(A, A.to("meta")), "fake is on meta, the others on cpu"),
        (lambda: code_loss(A, A.T), r"a and b are compared element by element, but they are \[3, 4\] and \[4, 3\]"),
        (lambda: code_loss(A.bool(), A.bool()), "a is bool"),
        (lambda: vae_loss(A, A, A, A[:2]), "mean and log_variance are compared"),
        (lambda: vae_loss(A, A.T, A, A), "reconstruction and target are compared"),
        (lambda: vae_loss(EMPTY, EMPTY, A, A), "reconstruction is"),
    ],
)
def test_what_does_not_fit_is_explained(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(FitError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: code_loss(A, A, 3), "p is 1 or 2, not 3"),  # type: ignore[arg-type]
        (lambda: code_loss(A, A, torch.tensor([1, 2])), "p is 1 or 2, not tensor"),  # type: ignore[arg-type]
        (lambda: vae_loss(A, A, A, A, kind="l2"), "no kind 'l2'"),  # type: ignore[arg-type]
        (lambda: vae_loss(A, A, A, A, beta=float("nan")), "beta is a finite"),
    ],
)
def test_unknown_options_are_explained(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        call()


@pytest.mark.parametrize(
    "given",
    [
        lambda: hidden_loss(torch.zeros(2, 3).numpy(), torch.zeros(2, 3)),
        lambda: hidden_loss(None, torch.zeros(2, 3)),
        lambda: code_loss(torch.zeros(2, 3), [1.0]),
    ],
)
def test_what_is_no_tensor_is_said_to_be_none(given: Callable[[], object]) -> None:
    with pytest.raises(FitError, match="is a tensor, not"):
        given()
