"""Averaged weights, used for sampling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["Average"]


class Average(AveragedModel):
    """An exponential moving average of a module's weights; buffers are copied.

    Args:
        module: the module to average.
        decay: decay per step, in [0, 1); ignored if a half-life is given.
        half_life: half-life of the average in images; 0 to use `decay`.
        warmup: limits the half-life to this fraction of the images so far, so that early averages cover few steps; 0
            for no warm-up (0.05 in Karras et al. 2020, arXiv:2006.06676).
    """

    def __init__(self, module: nn.Module, *, decay: float = 0.0, half_life: int = 0, warmup: float = 0.0) -> None:
        super().__init__(module, multi_avg_fn=self._move)
        self.decay, self.half_life, self.warmup = decay, half_life, warmup
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))
        self.images: Tensor
        self._share = 1.0
        self.requires_grad_(False)

    def follow(self, module: nn.Module, images: int) -> None:
        """Update the average with the module's weights, after a step over this many images."""
        self._share = 1 - self._decay(images)
        self.images += images
        self.update_parameters(module)

    def _decay(self, images: int) -> float:
        decay = _decay_of(images, self.half_life) if self.half_life else self.decay
        return min(decay, _decay_of(images, self.warmup * int(self.images))) if self.warmup else decay

    def _move(self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        torch._foreach_lerp_(list(averaged), list(current), self._share)


def _decay_of(images: int, half_life: float) -> float:
    return 0.5 ** (images / half_life) if half_life else 0.0
