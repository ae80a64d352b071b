"""Batch normalization with the statistics of the batches of all devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["synchronized"]


class _Sum(torch.autograd.Function):
    """The sum of a tensor over devices; its derivative, and the derivative of that, are sums too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return cast(Tensor, _Sum.apply(gradients[0]))  # type: ignore[no-untyped-call]


@contextmanager
def synchronized(model: nn.Module) -> Iterator[None]:
    """Within this context, the batch normalization of a model in training mode sees the batches of all devices.

    It works on every device that torch.distributed does, unlike `torch.nn.SyncBatchNorm`, which needs GPUs, and can be
    differentiated twice. All devices must call the same modules in the same order. Parameters and buffers stay.

    Args:
        model: the model; layers derived from `torch.nn.modules.batchnorm._BatchNorm` that have its `forward`.
    """
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and type(m).forward is _BatchNorm.forward]
    for layer in layers:
        layer.forward = partial(_forward, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _forward(layer: _BatchNorm, x: Tensor) -> Tensor:
    if not layer.training:
        return _BatchNorm.forward(layer, x)
    layer._check_input_dim(x)  # type: ignore[no-untyped-call]
    whole = x.float()
    dims = [dim for dim in range(x.ndim) if dim != 1]
    shape = [-1 if dim == 1 else 1 for dim in range(x.ndim)]
    count = _sum(torch.full((), x.numel() / x.shape[1], device=x.device))
    mean = _sum(whole.sum(dims)) / count
    centered = whole - mean.view(shape)
    variance = _sum(centered.square().sum(dims)) / count
    _remember(layer, mean.detach(), variance.detach(), count)
    scaled = centered * (variance + layer.eps).rsqrt().view(shape)
    if layer.affine:
        scaled = scaled * layer.weight.view(shape) + layer.bias.view(shape)
    return scaled.to(x.dtype)


def _sum(value: Tensor) -> Tensor:
    return cast(Tensor, _Sum.apply(value))  # type: ignore[no-untyped-call]


@torch.no_grad()
def _remember(layer: _BatchNorm, mean: Tensor, variance: Tensor, count: Tensor) -> None:
    """Update the running statistics as torch does: with the unbiased variance."""
    if not layer.track_running_stats or layer.running_mean is None or layer.running_var is None:
        return
    share = layer.momentum
    if layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
        share = 1.0 / float(layer.num_batches_tracked) if share is None else share
    layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), float(share or 0.0))
    unbiased = variance * count / (count - 1).clamp(min=1)
    layer.running_var.lerp_(unbiased.to(layer.running_var.dtype), float(share or 0.0))
