"""Fused losses: one pass over memory in the forward, and one in the backward.

They use native code for dense tensors of float32, float64, bfloat16 and float16 (the last two are accumulated in
float32) on the CPU and CUDA, and plain torch operations elsewhere, with the same values up to rounding. Native results
are deterministic on one machine; on the CPU they are bit-identical for any number of threads and any instruction set.
Gradients are computed only for inputs that require them. Second derivatives, forward-mode derivatives and the
transforms of torch.func use the plain operations. torch.compile traces all of them without graph breaks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, cast

import torch
from torch import Tensor

from gantk.errors import FitError, OptionError, nearest
from gantk.ops.losses import check, kernels, operators, reference
from gantk.ops.trust import trusted

__all__ = ["code_loss", "hidden_loss", "vae_loss"]

FLOATS = frozenset(kernels.TYPES)

WORTH_A_CALL = 65536
"""Total number of input elements from which native code is at least as fast as plain operations on the CPU
(bench/fused_losses.py). `vae_loss` is at least as fast for any size."""


def hidden_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The hidden-space loss: the mean over the batch of ‖realᵢ - fakeᵢ‖₂, the norm over the whole map of one image.

    The gradient of equal pairs is zero (Zhong et al. 2018, arXiv:1807.03923, eq. 12).

    Args:
        real, fake: activation maps `[N, …]` of the same shape, N ≥ 1; channels-last maps are not copied.

    Returns:
        A scalar, float32, or float64 if an input is.

    Raises:
        FitError: shapes or devices differ, the batch is empty, or an input is not float.
    """
    _check_tensors("hidden_loss", {"real": real, "fake": fake})
    if real.shape != fake.shape:
        raise FitError(
            f"the hidden-space loss pairs real with generated images, but their maps are {list(real.shape)} and "
            f"{list(fake.shape)}; generate as many images as there are real ones, of the same shape."
        )
    _check("hidden_loss", {"real": real, "fake": fake}, dimensions=2)
    return _norm_loss(real, fake, 2)


def code_loss(a: Tensor, b: Tensor, p: Literal[1, 2] = 2) -> Tensor:
    """The mean over the batch of ‖aᵢ - bᵢ‖ₚ, the distance between two codes of an image.

    As in the paper (Shao, Li & Jiang, "A Survey of DCGAN based Unsupervised Decoding and Image Generation", eq. 3), the
    norm is the sum of absolute differences for p = 1, not their mean, and the root of the sum of squares for p = 2. The
    gradient of equal pairs is zero.

    Args:
        a, b: codes `[N, dim]` of the same shape, N ≥ 1; further dimensions are part of the code.
        p: order of the norm, 1 or 2.

    Returns:
        A scalar, float32, or float64 if an input is.

    Raises:
        OptionError: p is neither 1 nor 2.
        FitError: shapes or devices differ, the batch is empty, or an input is not float.
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
    """The negative variational bound: the reconstruction error plus β KL(N(mean, exp log_variance) ‖ N(0, I)).

    Both terms are summed over the pixels or code dimensions and averaged over the batch (Kingma & Welling 2014,
    arXiv:1312.6114, eq. 10 and appendix B; β as in Higgins et al. 2017).

    Args:
        reconstruction, target: images `[N, …]` of the same shape, N ≥ 1; in [-1, 1] for bce.
        mean, log_variance: the posterior, `[M, …]` of the same shape, M ≥ 1; averaged over M.
        kind: mse is Σ (x - x̂)², l1 is Σ |x - x̂|, bce the cross-entropy of pixels mapped to [0, 1]; those of the
            reconstruction are clamped to [1e-7, 1 - 1e-7] and have no gradient outside.
        beta: factor of the divergence.

    Returns:
        A scalar, float32, or float64 if an input is.

    Raises:
        OptionError: there is no such kind, or beta is not finite.
        FitError: shapes or devices differ, a batch is empty, or an input is not float.
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
    if kernels.transformed() or not _native_pays(0, *inputs):
        return reference.vae_loss(*inputs, kind, beta)
    return cast(Tensor, operators.vae_loss(*inputs, kind, beta))


def _norm_loss(a: Tensor, b: Tensor, p: int) -> Tensor:
    if kernels.transformed() or not _native_pays(WORTH_A_CALL, a, b):
        return reference.norm_loss(a, b, p)
    if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad) and kernels.keeps_gradient(a, b):
        return cast(Tensor, operators.norm_loss_with_gradient(a, b, p, not a.requires_grad)[0])
    return cast(Tensor, operators.norm_loss(a, b, p)[0])


def _native_pays(least: int, *tensors: Tensor) -> bool:
    """Whether native code supports these tensors and, on the CPU, they are large enough."""
    if tensors[0].device.type == "cpu" and sum(x.numel() for x in tensors) < least:
        return False
    return kernels.serves(*tensors) and trusted(check.difference, tensors[0].device)


def _check_tensors(what: str, tensors: dict[str, Tensor]) -> None:
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise FitError(f"{what}: {name} is a tensor, not {type(x).__name__}; use torch.as_tensor.")
        if x.layout != torch.strided:
            raise FitError(f"{what}: {name} is a dense tensor, not {_plain(x.layout)}; use {name}.to_dense().")


def _check_pair(what: str, name_a: str, a: Tensor, name_b: str, b: Tensor) -> None:
    if a.shape != b.shape:
        raise FitError(
            f"{what}: {name_a} and {name_b} are compared element by element, but they are {list(a.shape)} and "
            f"{list(b.shape)}; expected the same shape."
        )


def _check(what: str, tensors: dict[str, Tensor], dimensions: int) -> None:
    """Check that the tensors are float, on one device, not empty, and have enough dimensions."""
    first = next(iter(tensors.values()))
    for name, x in tensors.items():
        if x.dtype not in FLOATS:
            raise FitError(f"{what}: {name} is {_plain(x.dtype)}; convert it to float32, float64, bfloat16 or float16.")
        if x.device != first.device:
            raise FitError(f"{what}: {name} is on {x.device}, the others on {first.device}; move them to one device.")
        if x.dim() < dimensions:
            raise FitError(f"{what}: {name} is {list(x.shape)}; expected a batch as the first dimension.")
        if (x.shape[0] if dimensions else x.numel()) == 0:
            raise FitError(f"{what} is a mean over the batch, but {name} is {list(x.shape)}: the batch is empty.")


def _check_name(what: str, option: str, name: str, known: Iterable[str]) -> None:
    if not isinstance(name, str) or name not in known:
        raise OptionError(f"{what}: there is no {option} '{name}'.{nearest(str(name), known)}")


def _plain(kind: torch.dtype | torch.layout) -> str:
    return str(kind).removeprefix("torch.")
