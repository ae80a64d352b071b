"""Wrong arguments of the operators, and of the C++ functions below them, raise exceptions; nothing crashes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from gantk.errors import FitError, UsageError
from gantk.ops import code_loss, hidden_loss, knn_distances, native, vae_loss
from gantk.ops.losses import fused, reference

needs_native = pytest.mark.skipif(not native.available("cpu"), reason="there is no native code")


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def operators() -> dict[str, tuple[Any, ...]]:
    """A right call of each operator."""
    a, m = draw(4, 6), draw(3, 2)
    return {
        "norm_loss": (a, a + 1, 2),
        "norm_loss_with_gradient": (a, a + 1, 1, False),
        "norm_loss_backward": (torch.ones(()), a, a + 1, torch.ones(4), 2, True, True),
        "vae_loss": (a, a + 1, m, m + 1, "l1", 0.5),
        "vae_loss_backward": (torch.ones(()), a, a + 1, m, m + 1, "mse", 0.5, [True, False, True, True]),
        "knn_distances": (torch.randint(0, 255, (40, 5), dtype=torch.uint8), None, 3, True, 0),
        "knn_distances of floats": (draw(40, 5), draw(30, 5), 3, True, 0),
    }


def functions() -> dict[str, tuple[Any, ...]]:
    """A right call of each C++ function, with what it writes."""
    a, m = draw(4, 6), draw(3, 2)
    norms, loss = torch.ones(4), torch.ones(())
    of_a, of_m, x = torch.empty_like(a), torch.empty_like(m), torch.randint(0, 255, (40, 5), dtype=torch.uint8)
    lists = (torch.empty(40, 3, dtype=torch.float64), torch.empty(40, 3, dtype=torch.int64))
    return {
        "norm_loss_forward": (1, 0, a, a + 1, norms, loss),
        "norm_loss_forward_with_gradients": (1, 0, a, a + 1, norms, loss, of_a, None),
        "norm_loss_backward": (1, 1, a, a + 1, norms, loss, None, of_a),
        "scale_gradient": (1, a.clone(), 2.0, of_a),
        "vae_loss_forward": (1, 2, a, a + 1, m, m + 1, 0.5, loss),
        "vae_loss_backward": (1, 2, a, a + 1, m, m + 1, 0.5, loss, of_a, None, None, of_m),
        "knn_u8": (x, None, 3, 0, 1, 0, 0, 64, None, *lists),
        "knn_f32": (x.float(), x[:40].float() + 1, 3, 0, 1, 0, 0, 64, 1e-6, 1e-9, None, *lists),
        "knn_f64": (x.double(), None, 3, 0, 1, 0, 0, 64, 1e-6, 1e-9, None, lists[0], None),
    }


def wrong(x: Any) -> Iterator[tuple[str, Any]]:
    """Values of the same argument that nothing can be computed of."""
    yield "text", "no such thing"
    yield "list", [[1, 2], [3]]
    if isinstance(x, Tensor):
        yield "longer", torch.cat([x.reshape(-1)] * 3)
        yield "one more dimension", x[None, None]
        yield "empty", x.new_empty(0)
        yield "no rows", x.new_empty((0, *x.shape[1:])) if x.ndim else x.new_empty((0, 1))
        yield "no columns", x.new_empty((len(x) + 1 if x.ndim else 1, 0))
        yield "integers", x.to(torch.int16)
        yield "truth values", x.bool()
        yield "complex", x.to(torch.complex64)
        yield "other width", x.to(torch.float32 if x.dtype == torch.float64 else torch.float64)
        yield "other device", x.to("meta")
        yield "sparse", (x if x.ndim else x[None]).to_sparse()
        emptied = x.clone()
        emptied.untyped_storage().resize_(0)
        yield "no memory", emptied
    elif isinstance(x, int | float) and not isinstance(x, bool):
        yield from (("negative", -1), ("huge", 2**40), ("beyond", 2**80), ("nan", float("nan")), ("none", None))
    elif isinstance(x, list):
        yield from (("short", [True]), ("long", [True] * 9), ("numbers", [torch.ones(2)]))


HARMLESS = {"vae_loss": 5, "vae_loss_backward": 6, "vae_loss_forward": 6, "scale_gradient": 2, "knn_distances": 4}
"""Arguments that may be any number: factors of a loss, and the size of a block."""


def assert_refused(call: Any, name: str, arguments: tuple[Any, ...]) -> None:
    call(*arguments)
    for place, right in enumerate(arguments):
        for what, value in wrong(right):
            given = (*arguments[:place], value, *arguments[place + 1 :])
            if isinstance(value, int | float) and HARMLESS.get(name) == place:
                continue
            if what == "other device":  # torch computes shapes alone, as soon as one tensor has no values
                with contextlib.suppress(Exception):
                    found = call(*given)
                    assert found is None or all(x.is_meta for x in ([found] if isinstance(found, Tensor) else found))
                continue
            if name == "knn_distances" and what in ("other width", "no rows") and place == 0:
                continue  # points as good as others
            with pytest.raises(Exception) as refused:  # noqa: PT011, whatever torch raises for its own arguments
                call(*given)
            assert str(refused.value), (name, place, what)


@needs_native
@pytest.mark.parametrize("name", operators())
def test_operators(name: str) -> None:
    operator, *_ = name.split()
    assert_refused(getattr(torch.ops.gantk, operator), operator, operators()[name])


@needs_native
@pytest.mark.parametrize("name", functions())
def test_functions(name: str) -> None:
    assert_refused(getattr(native.cpu(), name), name, functions()[name])


@needs_native
def test_what_would_be_read_or_written_beyond_an_end_is_named() -> None:
    a = draw(4, 6)
    with pytest.raises(FitError, match=r"torch\.ops\.gantk: norms, float32 \[3\], is not \[4\]\."):
        torch.ops.gantk.norm_loss_backward(torch.ones(()), a, a, torch.ones(3), 2, True, True)
    with pytest.raises(FitError, match=r"grad, float64 \[\], is not float32"):
        torch.ops.gantk.norm_loss_backward(torch.ones(()).double(), a, a, torch.ones(4), 2, True, True)
    with pytest.raises(UsageError, match=r"x is \[N, D\] of uint8, float32 or float64, not \[4, 0\]"):
        torch.ops.gantk.knn_distances(torch.empty(4, 0), None, 1, False, 0)
    with pytest.raises(UsageError, match="k is from 1 to 3 among 4 points, not 4"):
        torch.ops.gantk.knn_distances(a, None, 4, False, 0)


@needs_native
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e200])
def test_the_search_itself_refuses_values_without_distances(value: float) -> None:
    x, distances = draw(40, 5).double(), torch.empty(40, 3, dtype=torch.float64)
    x[7, 2] = value
    with pytest.raises(ValueError, match="not finite or are above"):
        native.cpu().knn_f64(x, None, 3, 0, 1, 0, 0, 64, 1e-6, 1e-9, None, distances, None)  # type: ignore[union-attr]
    with pytest.raises(UsageError):
        torch.ops.gantk.knn_distances(x, None, 3, False, 0)


@needs_native
def test_layouts_of_the_same_values_have_the_same_results() -> None:
    a, b = draw(4, 3, 5, 2), draw(4, 3, 5, 3)[..., :2]
    expected = torch.ops.gantk.norm_loss(a, b, 2)
    double = torch.stack([a, a], -1)
    for one in (
        a.contiguous(memory_format=torch.channels_last),
        a.mT.contiguous().mT,
        double[..., 0],
        a.flip(0).flip(0),
    ):
        assert torch.equal(torch.ops.gantk.norm_loss(one, b, 2)[1], expected[1])
    assert torch.equal(torch.ops.gantk.norm_loss((-a)._neg_view(), b, 2)[1], expected[1])
    wide = a[:1].expand(4, 3, 5, 2)
    assert torch.equal(torch.ops.gantk.norm_loss(wide, b, 2)[1], torch.ops.gantk.norm_loss(wide.clone(), b, 2)[1])
    x = draw(50, 8)
    assert torch.equal(*(torch.ops.gantk.knn_distances(y, None, 3, False, 0)[0] for y in (x, x.T.contiguous().T)))


LOSSES = [
    (lambda a, b: hidden_loss(a, b), lambda a, b: reference.norm_loss(a, b, 2)),
    (lambda a, b: code_loss(a, b, 1), lambda a, b: reference.norm_loss(a, b, 1)),
    (lambda a, b: vae_loss(a, b, a, b), lambda a, b: reference.vae_loss(a, b, a, b, "mse", 1.0)),
]


@pytest.mark.parametrize(("loss", "expected"), LOSSES, ids=["hidden", "code", "vae"])
def test_forward_mode_and_other_transforms_are_those_of_the_formula(
    loss: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "WORTH_A_CALL", 0)
    a, b, towards = draw(4, 6), draw(4, 6) + 0.5, draw(4, 6).flip(0)
    found = torch.func.jvp(loss, (a, b), (towards, torch.ones_like(b)))
    assert torch.equal(found[1], torch.func.jvp(expected, (a, b), (towards, torch.ones_like(b)))[1])
    step = 1e-4
    by_steps = (loss(a + step * towards, b + step) - loss(a - step * towards, b - step)) / (2 * step)
    torch.testing.assert_close(found[1], by_steps, rtol=2e-2, atol=2e-2, check_dtype=False)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(a, towards)  # type: ignore[no-untyped-call]
        tangents = [forward_ad.unpack_dual(function(dual, b)).tangent for function in (loss, expected)]  # type: ignore[no-untyped-call]
        assert torch.equal(*tangents)
    assert torch.equal(torch.func.grad(loss)(a, b), torch.func.grad(expected)(a, b))
    both = torch.stack([a, a + 1])
    assert torch.equal(torch.func.vmap(loss)(both, both + b), torch.func.vmap(expected)(both, both + b))


@needs_native
def test_an_operator_without_forward_mode_derivatives_says_so() -> None:
    a = draw(4, 6)
    with pytest.raises(FitError, match="no forward-mode derivatives: use"):
        torch.func.jvp(lambda x: torch.ops.gantk.norm_loss(x, a + 1, 2)[0], (a,), (a,))
    with forward_ad.dual_level(), pytest.raises(UsageError, match="these distances have none"):
        knn_distances(forward_ad.make_dual(a, a), 1)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("plain", [False, pytest.param(True, id="plain")])
def test_square_roots_are_correctly_rounded(plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all sums of three squares of bytes, which are their squared distances to 0."""
    if plain:
        monkeypatch.setattr(native, "cpu", lambda: None)
    steps = torch.arange(0, 256, 7, dtype=torch.uint8)
    points = torch.cartesian_prod(steps, steps.flip(0), torch.arange(0, 256, 5, dtype=torch.uint8))
    distances = knn_distances(points, 1, reference=torch.zeros(1, 3, dtype=torch.uint8))
    squared = (points.numpy().astype(np.int64) ** 2).sum(1)
    assert np.array_equal(distances[:, 0].numpy(), np.sqrt(squared.astype(np.float64)))
