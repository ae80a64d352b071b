"""Averaged weights, used for sampling."""

from __future__ import annotations

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
        super().__init__(module)
        self.decay, self.half_life, self.warmup = decay, half_life, warmup
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))
        self.images: Tensor
        self._seen: int | None = None
        """What `images` holds, so that no step waits for its device; `None` until it is read."""
        self.share: float | None = 1.0
        """The weights' share in a step's average; `None` while `warmup` changes it in every step."""
        self.register_buffer("_changing", torch.ones(()), persistent=False)
        self._changing: Tensor
        self.register_load_state_dict_post_hook(_forget_seen)  # type: ignore[no-untyped-call]
        self.requires_grad_(False)

    def follow(self, module: nn.Module, images: int) -> None:
        """Update the average with the module's weights, after a step over this many images."""
        self.expect(images)
        self.move(module, images)

    def expect(self, images: int) -> None:
        """Before a step over this many images: compute the weights' share, outside of what is recorded of a step."""
        seen = int(self.images) if self._seen is None else self._seen
        self._seen = seen + images
        share = 1 - self._decay(images, seen) if seen else 1.0
        self.share = None if self.warmup else share
        if self.warmup:
            self._changing.fill_(share)

    @torch.no_grad()
    def move(self, module: nn.Module, images: int) -> None:
        """Update the average with the module's weights, after a step that was expected."""
        own: list[Tensor] = [*self.module.parameters()]
        current: list[Tensor] = [*module.parameters()]
        if self.share is None:
            torch._foreach_lerp_(own, current, [self._changing] * len(own))
        else:
            torch._foreach_lerp_(own, current, self.share)
        for buffer, source in zip(self.module.buffers(), module.buffers(), strict=True):
            buffer.copy_(source)
        self.images += images
        self.n_averaged += 1

    def _decay(self, images: int, seen: int) -> float:
        decay = _decay_of(images, self.half_life) if self.half_life else self.decay
        return min(decay, _decay_of(images, self.warmup * seen)) if self.warmup else decay


def _forget_seen(average: Average, keys: object) -> None:
    average._seen = None


def _decay_of(images: int, half_life: float) -> float:
    return 0.5 ** (images / half_life) if half_life else 0.0
