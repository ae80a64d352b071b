"""Losses that go over memory once forward and once backward.

Each is native code for dense tensors of float32, bfloat16, float16 (both added up in float32) and float64 on the CPU
and on CUDA, and plain torch operations elsewhere, with the same values to rounding. Native results are deterministic
on one machine, and on the CPU have the same bits for any number of threads and any instruction set. Gradients are
computed for the inputs that require them only; second derivatives work, through the plain operations. torch.compile
traces all of them without a break.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, cast

import torch
from torch import Tensor

from gantk.errors import FitError, OptionError, nearest
from gantk.ops.losses import kernels, operators, reference

__all__ = ["code_loss", "hidden_loss", "vae_loss"]

FLOATS = frozenset(kernels.TYPES)

WORTH_A_CALL = 65536
"""Elements of all inputs from which a call is not slower than plain operations on the CPU: bench/fused_losses.py.
`vae_loss` is not slower at any size."""


def hidden_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The hidden-space loss: the mean over the batch of ‖realᵢ - fakeᵢ‖₂, over the whole map of one image.

    Where a pair is equal, its gradient is zero (Zhong et al. 2018, arXiv:1807.03923, eq. 12).

    Args:
        real, fake: activation maps `[N, …]` of the same shape, N ≥ 1; channels-last ones are not copied.

    Returns:
        A scalar, float32; float64 where an input is.

    Raises:
        FitError: the shapes or devices differ, the batch is empty, or the numbers are no floats.
    """
    _check_tensors("hidden_loss", {"real": real, "fake": fake})
    if real.shape != fake.shape:
        raise FitError(
            f"the hidden-space loss pairs real with generated images, but their maps are {list(real.shape)} and "
            f"{list(fake.shape)}; generate as many as there are real ones, of the same shape."
        )
    _check("hidden_loss", {"real": real, "fake": fake}, dimensions=2)
    return _norm_loss(real, fake, 2)


def code_loss(a: Tensor, b: Tensor, p: Literal[1, 2] = 2) -> Tensor:
    """The mean over the batch of ‖aᵢ - bᵢ‖ₚ, the distance between two codes of one image.

    That is the norm as the paper writes it (Shao, Li & Jiang, "A Survey of DCGAN based Unsupervised Decoding and Image
    Generation", eq. 3): for p = 1 the sum of absolute differences, not their mean; for p = 2 the root of the sum of
    squares. Where a pair is equal, its gradient is zero.

    Args:
        a, b: codes `[N, dim]` of the same shape, N ≥ 1; further dimensions count as part of the code.
        p: which norm, 1 or 2.

    Returns:
        A scalar, float32; float64 where an input is.

    Raises:
        OptionError: p is neither 1 nor 2.
        FitError: the shapes or devices differ, the batch is empty, or the numbers are no floats.
    """
    if not isinstance(p, int) or p not in tuple(kernels.NORMS):
        raise OptionError(f"code_loss: p is 1 or 2, not {p!r}.")
    _check_tensors("code_loss", {"a": a, "b": b})
    _check_pair("code_loss", "a", a, "b", b)
    _check("code_loss", {"a": a, "b": b}, dimensions=2)
    return _norm_loss(a, b, p)


def vae_loss(
    reconstruction: Tensor,
    target: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    *,
    kind: Literal["mse", "l1", "bce"] = "mse",
    beta: float = 1.0,
) -> Tensor:
    """The variational bound, negated: the reconstruction's error plus β KL(N(mean, exp log_variance) ‖ N(0, I)).

    Both terms are summed over one image, or over its code, and averaged over the batch (Kingma & Welling 2014,
    arXiv:1312.6114, eq. 10 and appendix B; β as in Higgins et al. 2017).

    Args:
        reconstruction, target: images `[N, …]` of the same shape, N ≥ 1; in [-1, 1] for bce.
        mean, log_variance: the posterior, `[M, …]` of the same shape, M ≥ 1; averaged over its own M.
        kind: mse is Σ (x - x̂)², l1 is Σ |x - x̂|, bce the cross-entropy of pixels mapped to [0, 1], where the
            reconstruction's are kept 1e-7 from 0 and 1 and have no gradient beyond.
        beta: the factor of the divergence.

    Returns:
        A scalar, float32; float64 where an input is.

    Raises:
        OptionError: there is no such kind, or beta is not finite.
        FitError: shapes or devices differ, a batch is empty, or the numbers are no floats.
    """
    _check_name("vae_loss", "kind", kind, reference.DISTANCES)
    if not isinstance(beta, (int, float)) or not math.isfinite(beta):
        raise OptionError(f"vae_loss: beta is a finite number, not {beta!r}.")
    tensors = {"reconstruction": reconstruction, "target": target, "mean": mean, "log_variance": log_variance}
    _check_tensors("vae_loss", tensors)
    _check_pair("vae_loss", "reconstruction", reconstruction, "target", target)
    _check_pair("vae_loss", "mean", mean, "log_variance", log_variance)
    _check("vae_loss", tensors, dimensions=1)
    inputs = (reconstruction, target, mean, log_variance)
    if not _native_pays(0, *inputs):
        return reference.vae_loss(*inputs, kind, beta)
    return cast(Tensor, operators.vae_loss(*inputs, kind, beta))


def _norm_loss(a: Tensor, b: Tensor, p: int) -> Tensor:
    if not _native_pays(WORTH_A_CALL, a, b):
        return reference.norm_loss(a, b, p)
    if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad) and kernels.keeps_gradient(a, b):
        return cast(Tensor, operators.norm_loss_with_gradient(a, b, p, not a.requires_grad)[0])
    return cast(Tensor, operators.norm_loss(a, b, p)[0])


def _native_pays(least: int, *tensors: Tensor) -> bool:
    """Whether native code takes these, and on the CPU has work for as many elements as a call costs."""
    if tensors[0].device.type == "cpu" and sum(x.numel() for x in tensors) < least:
        return False
    return kernels.serves(*tensors)


def _check_tensors(what: str, tensors: dict[str, Tensor]) -> None:
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise FitError(f"{what}: {name} is a tensor, not {type(x).__name__}; torch.as_tensor makes one.")
        if x.layout != torch.strided:
            raise FitError(f"{what}: {name} is a dense tensor, not {_plain(x.layout)}; {name}.to_dense() makes one.")


def _check_pair(what: str, name_a: str, a: Tensor, name_b: str, b: Tensor) -> None:
    if a.shape != b.shape:
        raise FitError(
            f"{what}: {name_a} and {name_b} are compared element by element, but they are {list(a.shape)} and "
            f"{list(b.shape)}; give both one shape."
        )


def _check(what: str, tensors: dict[str, Tensor], dimensions: int) -> None:
    """Floats on one device, something to average over, and enough dimensions."""
    first = next(iter(tensors.values()))
    for name, x in tensors.items():
        if x.dtype not in FLOATS:
            raise FitError(f"{what}: {name} is {_plain(x.dtype)}; convert it to float32, float64, bfloat16 or float16.")
        if x.device != first.device:
            raise FitError(f"{what}: {name} is on {x.device}, the others on {first.device}; move them to one device.")
        if x.dim() < dimensions:
            raise FitError(f"{what}: {name} is {list(x.shape)}, but the first dimension is the batch; give it one.")
        if (x.shape[0] if dimensions else x.numel()) == 0:
            raise FitError(f"{what} is a mean over the batch, but {name} is {list(x.shape)}: there is nothing in it.")


def _check_name(what: str, option: str, name: str, known: Iterable[str]) -> None:
    if not isinstance(name, str) or name not in known:
        raise OptionError(f"{what}: there is no {option} '{name}'.{nearest(str(name), known)}")


def _plain(kind: torch.dtype | torch.layout) -> str:
    return str(kind).removeprefix("torch.")
