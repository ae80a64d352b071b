"""Temporary evaluation mode, and buffers that stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["evaluating", "unchanged"]


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and restore the mode of every submodule afterwards."""
    modes = [(m, m.training) for m in module.modules()]
    if any(mode for _, mode in modes):
        module.eval()
    try:
        yield
    finally:
        for each, mode in modes:
            each.training = mode


@contextmanager
def unchanged(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Give tensors their values back afterwards, in place."""
    before = [tensor.clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)
