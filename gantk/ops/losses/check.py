"""Compare the native losses with their reference, on inputs of a few thousand elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gantk.ops.losses import kernels, operators, reference

__all__ = ["difference"]

IMAGES, CODES = (5, 3, 17, 19), (5, 37)

TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-9, torch.bfloat16: 2e-2, torch.float16: 4e-3}
"""Of losses and gradients, relative to the largest element: wide enough for any order of sums."""


def difference(device: torch.device) -> str:
    """The first loss or gradient that differs from plain torch on a device; empty if none does."""
    generator = torch.Generator().manual_seed(0)
    for dtype in kernels.TYPES:

        def draw(shape: Sequence[int], dtype: torch.dtype = dtype) -> Tensor:
            return (torch.rand(shape, generator=generator, dtype=torch.float64) * 1.8 - 0.9).to(device, dtype)

        images, codes = (draw(IMAGES), draw(IMAGES)), (draw(CODES), draw(CODES))
        for p in kernels.NORMS:
            found = _compared(
                lambda a, b, p=p: operators.norm_loss(a, b, p)[0],
                lambda a, b, p=p: reference.norm_loss(a, b, p),
                images,
            )
            if found:
                return f"the distance of order {p}, {_name(dtype)}: {found}"
        for kind in kernels.DISTANCES:
            found = _compared(
                lambda x, y, m, v, kind=kind: operators.vae_loss(x, y, m, v, kind, 0.5),
                lambda x, y, m, v, kind=kind: reference.vae_loss(x, y, m, v, kind, 0.5),
                (*images, *codes),
            )
            if found:
                return f"vae_loss of kind {kind}, {_name(dtype)}: {found}"
    return ""


def _compared(native: Callable[..., Tensor], plain: Callable[..., Tensor], inputs: Sequence[Tensor]) -> str:
    tolerance = TOLERANCES[inputs[0].dtype]
    found, expected = (_with_gradients(function, inputs) for function in (native, plain))
    for what, one, other in zip(("the loss", *["a gradient"] * len(inputs)), found, expected, strict=True):
        off = (one.double() - other.double()).abs().amax().item()
        if not off <= tolerance * other.double().abs().amax().item():  # also where it is NaN
            return f"{what} differs by {off:.2g}"
    return ""


def _with_gradients(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    with torch.enable_grad():
        loss = function(*inputs)
    return [loss.detach(), *torch.autograd.grad(loss, inputs)]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
