"""What these losses share: gradients on images, and terms that are computed at some steps only."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantk import Loss, Play, require
from gantk.errors import FitError
from gantk.nn import logits, wide

__all__ = ["Lazy", "gradients", "paired", "require_factor"]


def require_factor(name: str, value: float) -> float:
    """The value of an option that is a factor: 0 or more, and finite."""
    require(0 <= value < math.inf, f"{name} must be 0 or more and finite, not {value}.")
    return value


def paired(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The two, which must have the same shape, since row i of one is compared with row i of the other."""
    if real.shape != fake.shape:
        raise FitError(
            f"real and generated images are compared in pairs, but there are {len(real)} and {len(fake)} of them; "
            "generate as many as there are real ones."
        )
    return real, fake


def gradients(play: Play, images: Tensor) -> Tensor:
    """`[N, values]`: the gradient of each image's logit with respect to its pixels, itself differentiable."""
    at = images.detach().requires_grad_()
    with torch.enable_grad():
        (found,) = torch.autograd.grad(logits(play.judge(at)).sum(), at, create_graph=True)
    return wide(found).flatten(1)


class Lazy(Loss):
    """A term that is computed once every few steps of a stage, and then counts for all of them."""

    def __init__(self, *, every: int, weight: float) -> None:
        super().__init__()
        require(every >= 1, f"every must be at least 1, not {every}.")
        self.every = every
        self.weight = require_factor("weight", weight)

    def _due(self, play: Play) -> bool:
        return play.every(self.every)
