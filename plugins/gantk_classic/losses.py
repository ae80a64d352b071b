"""The losses of the first GANs, of the Wasserstein GANs and of the variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gantk import Loss, Play, Posterior, Verdict, require
from gantk.errors import FitError

__all__ = ["Minimax", "NonSaturating", "VariationalBound", "Wasserstein", "WassersteinGP"]

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, where their logarithms end; 1 - SMALLEST is not 1 in float32."""


def _check_weight(weight: float) -> float:
    require(0 <= weight < math.inf, f"weight is 0 or more and finite, not {weight}.")
    return weight


def _wide(x: Tensor) -> Tensor:
    """At least float32: what autocast made of it may be too coarse for sums, logarithms and squares."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _logits(verdict: Verdict) -> Tensor:
    if verdict.logits is None:
        raise FitError("this discriminator's verdict has no logits; use one that provides 'logits'.")
    return _wide(verdict.logits)


class _CrossEntropy(Loss):
    """The discriminator that both of Goodfellow et al.'s games share, with sigmoid and logarithm in one softplus."""

    paper = "Goodfellow et al. 2014, arXiv:1406.2661"
    adversarial = True
    needs = frozenset({"logits"})

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = _check_weight(weight)

    def discriminator(self, play: Play) -> Tensor:
        """-E log D(x) - E log(1 - D(G(z)))."""
        return F.softplus(-_logits(play.real_verdict)).mean() + F.softplus(_logits(play.fake_verdict)).mean()


class Minimax(_CrossEntropy):
    """The minimax game: D maximises, and G minimises, E log D(x) + E log(1 - D(G(z))) (Goodfellow et al. 2014, eq. 1).

    The generator's gradient vanishes while the discriminator is sure of itself; `nonsaturating` mends that.

    Args:
        weight: factor of this loss in its players' sums, 0 or more.
    """

    def generator(self, play: Play) -> Tensor:
        """E log(1 - D(G(z)))."""
        return -F.softplus(_logits(play.fake_verdict)).mean()


class NonSaturating(_CrossEntropy):
    """The non-saturating game: G minimises -E log D(G(z)), D as in `minimax` (Goodfellow et al. 2014, section 3).

    Args:
        weight: factor of this loss in its players' sums, 0 or more.
    """

    def generator(self, play: Play) -> Tensor:
        """-E log D(G(z))."""
        return F.softplus(-_logits(play.fake_verdict)).mean()


class Wasserstein(Loss):
    """The Wasserstein game: D minimises E D(G(z)) - E D(x), G minimises -E D(G(z)) (Arjovsky et al. 2017, Algorithm 1).

    It brings the paper's settings for the discriminator's player: 5 turns a step, weights clipped to ±0.01.

    Args:
        weight: factor of this loss in its players' sums, 0 or more.
    """

    paper = "Arjovsky, Chintala & Bottou 2017, arXiv:1701.07875"
    adversarial = True
    needs = frozenset({"logits"})
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"discriminator": {"repeats": 5, "clip_weights": 0.01}}

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = _check_weight(weight)

    def discriminator(self, play: Play) -> Tensor:
        """E D(G(z)) - E D(x)."""
        return _logits(play.fake_verdict).mean() - _logits(play.real_verdict).mean()

    def generator(self, play: Play) -> Tensor:
        """-E D(G(z))."""
        return -_logits(play.fake_verdict).mean()


class WassersteinGP(Wasserstein):
    """The Wasserstein game with a gradient penalty: D minimises E D(G(z)) - E D(x) + λ E (‖∇ D(x̂)‖₂ - 1)².

    Each x̂ lies at a uniformly random place between one real and one generated image (Gulrajani et al. 2017, eq. 3).
    The discriminator must judge each image by itself, so it cannot use batch normalisation.

    Args:
        penalty: the factor λ of the gradient penalty, 0 or more.
        weight: factor of this loss in its players' sums, 0 or more.
    """

    paper = "Gulrajani et al. 2017, arXiv:1704.00028"
    needs = frozenset({"logits", "per-sample"})
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"discriminator": {"repeats": 5}}

    def __init__(self, *, penalty: float = 10.0, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        require(0 <= penalty < math.inf, f"penalty is 0 or more and finite, not {penalty}.")
        self.penalty = penalty

    def discriminator(self, play: Play) -> Tensor:
        """E D(G(z)) - E D(x) + λ E (‖∇ D(x̂)‖₂ - 1)²."""
        return super().discriminator(play) + self.penalty * self._gradient_penalty(play)

    def _gradient_penalty(self, play: Play) -> Tensor:
        between = _interpolate(play.real.detach(), play.fake.detach()).requires_grad_()
        with torch.enable_grad():
            logits = _logits(play.judge(between))
            (gradient,) = torch.autograd.grad(logits.sum(), between, create_graph=True)
        norms: Tensor = torch.linalg.vector_norm(_wide(gradient).flatten(1), dim=1)
        return ((norms - 1) ** 2).mean()


def _interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """One point between each pair, by a share drawn per image."""
    if real.shape != fake.shape:
        raise FitError(
            f"the gradient penalty pairs real with generated images, but they are {list(real.shape)} and "
            f"{list(fake.shape)}; generate as many as there are real ones, of the same shape."
        )
    share = torch.rand(len(real), *[1] * (real.dim() - 1), dtype=real.dtype, device=real.device)
    return torch.lerp(real, fake.to(real.dtype), share)


class VariationalBound(Loss):
    """The variational bound, negated: -E log p(x|z) + β KL(q(z|x) ‖ N(0, I)) (Kingma & Welling 2014, eq. 10).

    Both terms are summed over pixels and code dimensions and averaged over the batch; β as in Higgins et al. 2017.

    Args:
        reconstruction: -log p(x|z) up to constants: mse is ‖x - x̂‖² (Gaussian pixels of variance 1/2), l1 is ‖x - x̂‖₁
            (Laplacian pixels), bce the cross-entropy of pixels mapped to [0, 1] (Bernoulli pixels).
        beta: the factor β of the KL divergence, 0 or more.
        weight: factor of this loss in its players' sums, 0 or more.
    """

    paper = "Kingma & Welling 2014, arXiv:1312.6114"
    needs = frozenset({"posterior"})

    def __init__(
        self, *, reconstruction: Literal["mse", "bce", "l1"] = "mse", beta: float = 1.0, weight: float = 1.0
    ) -> None:
        super().__init__()
        require(0 <= beta < math.inf, f"beta is 0 or more and finite, not {beta}.")
        self.reconstruction = reconstruction
        self.beta = beta
        self.weight = _check_weight(weight)

    def autoencoder(self, play: Play) -> Tensor:
        """-E log p(x|z) + β KL(q(z|x) ‖ N(0, I)), per image."""
        distance = _DISTANCES[self.reconstruction]
        errors = distance(_wide(play.reconstruction), _wide(play.real))
        return errors.sum() / len(errors) + self.beta * _divergence(play.posterior)


def _divergence(posterior: Posterior) -> Tensor:
    """KL(q ‖ N(0, I)) per image, in closed form (Kingma & Welling 2014, appendix B)."""
    mean, log_variance = _wide(posterior.mean), _wide(posterior.log_variance)
    # expm1(v) - v rather than exp(v) - v - 1: exact where the posterior is close to the prior.
    terms = mean.square() + torch.expm1(log_variance) - log_variance
    return 0.5 * terms.sum() / len(mean)


def _squares(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).square()


def _absolutes(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).abs()


def _cross_entropies(images: Tensor, target: Tensor) -> Tensor:
    # Written out because torch refuses its own binary_cross_entropy under autocast.
    p = ((images + 1) / 2).clamp(SMALLEST, 1 - SMALLEST)
    t = (target + 1) / 2
    return -(t * p.log() + (1 - t) * torch.log1p(-p))


_DISTANCES = {"mse": _squares, "l1": _absolutes, "bce": _cross_entropies}
