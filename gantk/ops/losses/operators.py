"""The native losses as custom operators of torch: schema, CPU and CUDA kernels, fake tensors, autograd.

`Library` with `register_autograd` has the lowest overhead of the documented ways to register them: the
figures are in bench/notes/call-overhead.md. Second derivatives use the plain-torch reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gantk.ops.losses import kernels, reference

__all__ = ["norm_loss", "norm_loss_with_gradient", "vae_loss"]

_Library: Any = torch.library.Library  # torch's annotations of it are incomplete
_library = _Library("gantk", "FRAGMENT")  # the operators exist as long as this object


def _define(
    schema: str, kernel: Callable[..., Any], fake: Callable[..., Any], keys: Sequence[str] = ("CPU", "CUDA")
) -> Any:
    name = schema.partition("(")[0]
    _library.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    for key in keys:
        _library.impl(name, kernel, key)
    torch.library.register_fake(f"gantk::{name}", fake, lib=_library)
    return getattr(torch.ops.gantk, name).default


def _like_needed(inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor]:
    return [torch.empty_like(x) for x, needed in zip(inputs, needs, strict=True) if needed]


def _fake_norm(a: Tensor, b: Tensor, p: int) -> tuple[Tensor, Tensor]:
    dtype = kernels.wide_dtype(a)
    return a.new_empty((), dtype=dtype), a.new_empty(a.shape[0], dtype=dtype)


def _fake_norm_with_gradient(a: Tensor, b: Tensor, p: int, of_b: bool) -> tuple[Tensor, Tensor, Tensor]:
    return *_fake_norm(a, b, p), torch.empty_like(kernels.dense_alike(a, b)[of_b])


def _fake_norm_backward(
    grad: Tensor, a: Tensor, b: Tensor, norms: Tensor, p: int, need_a: bool, need_b: bool
) -> list[Tensor]:
    return _like_needed(kernels.dense_alike(a, b), (need_a, need_b))


def _fake_vae(images: Tensor, target: Tensor, mean: Tensor, log_variance: Tensor, kind: str, beta: float) -> Tensor:
    return images.new_empty((), dtype=kernels.wide_dtype(images))


def _fake_vae_backward(
    grad: Tensor,
    images: Tensor,
    target: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    kind: str,
    beta: float,
    needs: Sequence[bool],
) -> list[Tensor]:
    dense = (*kernels.dense_alike(images, target), *kernels.dense_alike(mean, log_variance))
    return _like_needed(dense, needs)


norm_loss = _define("norm_loss(Tensor a, Tensor b, int p) -> (Tensor, Tensor)", kernels.norm_forward, _fake_norm)
# Its third result is reserved for the backward, which returns it as a gradient.
norm_loss_with_gradient = _define(
    "norm_loss_with_gradient(Tensor a, Tensor b, int p, bool of_b) -> (Tensor, Tensor, Tensor)",
    kernels.norm_forward_with_gradient,
    _fake_norm_with_gradient,
    keys=("CPU",),
)
_norm_loss_backward = _define(
    "norm_loss_backward(Tensor grad, Tensor a, Tensor b, Tensor norms, int p, bool need_a, bool need_b) -> Tensor[]",
    kernels.norm_backward,
    _fake_norm_backward,
)
vae_loss = _define(
    "vae_loss(Tensor images, Tensor target, Tensor mean, Tensor log_variance, str kind, float beta) -> Tensor",
    kernels.vae_forward,
    _fake_vae,
)
_vae_loss_backward = _define(
    "vae_loss_backward(Tensor grad, Tensor images, Tensor target, Tensor mean, Tensor log_variance, str kind, "
    "float beta, bool[4] needs) -> Tensor[]",
    kernels.vae_backward,
    _fake_vae_backward,
)


def _in_places(found: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
    """The gradients in the order of the inputs, None if not needed."""
    rest = iter(found)
    return [next(rest) if needed else None for needed in needs]


def _differentiable(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], needs: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    """The gradients of the reference, which can be differentiated again."""
    # Views, so that the same tensor given twice is two inputs.
    views = [x.view_as(x) if needed else x for x, needed in zip(inputs, needs, strict=True)]
    wanted = [x for x, needed in zip(views, needs, strict=True) if needed]
    found = torch.autograd.grad(
        function(*views), wanted, grad, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return _in_places(found, needs)


# In a backward, gradients are enabled only with create_graph=True.


def _keep_norm(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    a, b, ctx.p = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(a, b, output[1])


def _norm_gradients(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return None, None, None
    a, b, norms = ctx.saved_tensors
    needs = ctx.needs_input_grad[:2]
    if torch.is_grad_enabled():
        return (*_differentiable(lambda a, b: reference.norm_loss(a, b, ctx.p), (a, b), needs, grad), None)
    return (*_in_places(_norm_loss_backward(grad, a, b, norms, ctx.p, *needs), needs), None)


def _keep_gradient(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    a, b, ctx.p, ctx.of_b = inputs
    _, norms, ctx.kept = output
    ctx.mark_non_differentiable(norms, ctx.kept)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(a, b, norms)


def _kept_gradient(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 4
    a, b, norms = ctx.saved_tensors
    needs = ctx.needs_input_grad[:2]
    # Not kept, because the receiver may write to it; another backward of the same graph recomputes it.
    kept, ctx.kept = ctx.kept, None
    if torch.is_grad_enabled():
        again = _differentiable(lambda a, b: reference.norm_loss(a, b, ctx.p), (a, b), needs, grad)
        return (*again, None, None)
    if kept is None:
        (kept,) = _norm_loss_backward(torch.ones_like(grad), a, b, norms, ctx.p, not ctx.of_b, ctx.of_b)
    own, other = _both_gradients(kept, grad, *(reversed(needs) if ctx.of_b else needs))
    return (other, own, None, None) if ctx.of_b else (own, other, None, None)


def _both_gradients(kept: Tensor, grad: Tensor, own: bool, other: bool) -> tuple[Tensor | None, Tensor | None]:
    """Scale the gradient of one input by grad, in place, and derive the other's, which is its negative."""
    if type(grad) is not Tensor:  # a traced tensor has no value
        scaled = kept * grad
        return scaled if own else None, -scaled if other else None
    factor = grad.item()
    if not own:
        kernels.scale_gradient(kept, -factor, opposite=False)
        return None, kept
    return kept, kernels.scale_gradient(kept, factor, opposite=other)


def _keep_vae(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.kind, ctx.beta = inputs
    ctx.save_for_backward(*tensors)


def _vae_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    needs = ctx.needs_input_grad[:4]
    if torch.is_grad_enabled():
        kind, beta = ctx.kind, ctx.beta
        again = _differentiable(
            lambda x, y, m, v: reference.vae_loss(x, y, m, v, kind, beta), ctx.saved_tensors, needs, grad
        )
        return (*again, None, None)
    found = _vae_loss_backward(grad, *ctx.saved_tensors, ctx.kind, ctx.beta, needs)
    return (*_in_places(found, needs), None, None)


for _name, _backward, _keep in (
    ("norm_loss", _norm_gradients, _keep_norm),
    ("norm_loss_with_gradient", _kept_gradient, _keep_gradient),
    ("vae_loss", _vae_gradients, _keep_vae),
):
    torch.library.register_autograd(f"gantk::{_name}", _backward, setup_context=_keep, lib=_library)
