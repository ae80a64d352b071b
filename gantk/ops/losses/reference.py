"""The fused losses in plain torch operations: the reference and the fallback.

Everything is computed in float32 at least: under autocast, half precision is too coarse for sums, logarithms and
squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

__all__ = ["DISTANCES", "norm_loss", "vae_loss"]

SMALLEST = 1e-7
"""Probabilities are clamped to [SMALLEST, 1 - SMALLEST], so that logarithms are finite; 1 - SMALLEST is not 1 in
float32."""


def wide(x: Tensor) -> Tensor:
    """At least float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def norm_loss(a: Tensor, b: Tensor, p: int) -> Tensor:
    """The mean over rows of ‖a - b‖ₚ."""
    difference = (wide(a) - wide(b)).reshape(len(a), -1)
    # The gradient of vector_norm at zero is zero; that of a square root of squares would be NaN.
    distances: Tensor = torch.linalg.vector_norm(difference, ord=p, dim=1)
    return distances.mean()


def _squares(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).square()


def _absolutes(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).abs()


def _cross_entropies(images: Tensor, target: Tensor) -> Tensor:
    # Not binary_cross_entropy, which torch refuses under autocast.
    p = ((images + 1) / 2).clamp(SMALLEST, 1 - SMALLEST)
    t = (target + 1) / 2
    return -(t * p.log() + (1 - t) * torch.log1p(-p))


DISTANCES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"mse": _squares, "l1": _absolutes, "bce": _cross_entropies}
)


def vae_loss(images: Tensor, target: Tensor, mean: Tensor, log_variance: Tensor, kind: str, beta: float) -> Tensor:
    """The reconstruction error and β KL(q ‖ N(0, I)), each summed per image and averaged over the batch."""
    errors = DISTANCES[kind](wide(images), wide(target))
    mean, log_variance = wide(mean), wide(log_variance)
    # expm1(v) - v rather than exp(v) - v - 1: accurate if the posterior is close to the prior.
    divergence = 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum() / len(mean)
    return errors.sum() / len(errors) + beta * divergence
