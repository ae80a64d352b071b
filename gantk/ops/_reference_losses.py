"""The fused losses in plain torch operations: what they mean, and what runs where native code does not.

Everything is computed in float32 at least: what autocast made of the inputs may be too coarse for sums, logarithms
and squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["DISTANCES", "GAMES", "adversarial_loss", "norm_loss", "vae_loss"]

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, where their logarithms end; 1 - SMALLEST is not 1 in float32."""


def wide(x: Tensor) -> Tensor:
    """At least float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def norm_loss(a: Tensor, b: Tensor, p: int) -> Tensor:
    """The mean over rows of ‖a - b‖ₚ of one row."""
    difference = (wide(a) - wide(b)).reshape(len(a), -1)
    # vector_norm's gradient at zero is zero; that of a square root of squares would be NaN.
    distances: Tensor = torch.linalg.vector_norm(difference, ord=p, dim=1)
    return distances.mean()


class Game(NamedTuple):
    """The means that the terms of an adversarial loss are made of."""

    real_for_discriminator: Callable[[Tensor], Tensor]
    fake_for_both: Callable[[Tensor], tuple[Tensor, Tensor]]
    fake_for_generator: Callable[[Tensor], Tensor]


# -log σ(x) = softplus(-x) and -log(1 - σ(x)) = softplus(x): sigmoid and logarithm in one, finite for all logits.


def _taken_for_real(x: Tensor) -> Tensor:
    return F.softplus(-x).mean()


def _taken_for_fake(x: Tensor) -> Tensor:
    return F.softplus(x).mean()


def _opposed(term: Callable[[Tensor], Tensor]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Where the generator maximises what the discriminator minimises."""

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        found = term(x)
        return found, -found

    return both


GAMES: Mapping[str, Game] = MappingProxyType(
    {
        "minimax": Game(_taken_for_real, _opposed(_taken_for_fake), lambda x: -_taken_for_fake(x)),
        "nonsaturating": Game(_taken_for_real, lambda x: (_taken_for_fake(x), _taken_for_real(x)), _taken_for_real),
        "wasserstein": Game(lambda x: -x.mean(), _opposed(torch.mean), lambda x: -x.mean()),
    }
)


def adversarial_loss(real: Tensor | None, fake: Tensor, kind: str) -> tuple[Tensor | None, Tensor]:
    """The discriminator's term, None without real logits, and the generator's."""
    game, fake = GAMES[kind], wide(fake)
    if real is None:
        return None, game.fake_for_generator(fake)
    discriminator, generator = game.fake_for_both(fake)
    return game.real_for_discriminator(wide(real)) + discriminator, generator


def _squares(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).square()


def _absolutes(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).abs()


def _cross_entropies(images: Tensor, target: Tensor) -> Tensor:
    # Written out because torch refuses its own binary_cross_entropy under autocast.
    p = ((images + 1) / 2).clamp(SMALLEST, 1 - SMALLEST)
    t = (target + 1) / 2
    return -(t * p.log() + (1 - t) * torch.log1p(-p))


DISTANCES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"mse": _squares, "l1": _absolutes, "bce": _cross_entropies}
)


def vae_loss(images: Tensor, target: Tensor, mean: Tensor, log_variance: Tensor, kind: str, beta: float) -> Tensor:
    """The reconstruction's error and β KL(q ‖ N(0, I)), each summed over one image and averaged over the batch."""
    errors = DISTANCES[kind](wide(images), wide(target))
    mean, log_variance = wide(mean), wide(log_variance)
    # expm1(v) - v rather than exp(v) - v - 1: exact where the posterior is close to the prior.
    divergence = 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum() / len(mean)
    return errors.sum() / len(errors) + beta * divergence
