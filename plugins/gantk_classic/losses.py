"""The losses of the first GANs, of the Wasserstein GANs and of the variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gantk import Loss, Play, Verdict, require
from gantk.errors import FitError
from gantk.nn import logits, wide
from gantk.ops import vae_loss

__all__ = ["Minimax", "NonSaturating", "VariationalBound", "Wasserstein", "WassersteinGP"]


def _check_weight(weight: float) -> float:
    require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
    return weight


# -log σ(x) = softplus(-x) and -log(1 - σ(x)) = softplus(x), which are finite for all logits.


def _taken_for_real(verdict: Verdict) -> Tensor:
    """-E log σ(x)."""
    return F.softplus(-logits(verdict)).mean()


def _taken_for_fake(verdict: Verdict) -> Tensor:
    """-E log(1 - σ(x))."""
    return F.softplus(logits(verdict)).mean()


def _told_apart(play: Play, smoothing: float) -> Tensor:
    """-E log σ(D(x)) - E log(1 - σ(D(G(z)))); with smoothing s, the label of x is 1 - s."""
    real, fake = _taken_for_real(play.real_verdict), _taken_for_fake(play.fake_verdict)
    if smoothing:  # -(1 - s) log σ(x) - s log(1 - σ(x)) = softplus(-x) + s x
        real = real + smoothing * logits(play.real_verdict).mean()
    return play.log("real", real) + play.log("fake", fake)


class _Game(Loss):
    """An adversarial loss over logits; a player's turn only computes the verdicts that its own term reads."""

    adversarial = True
    needs = frozenset({"logits"})

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = _check_weight(weight)


class _LogLikelihood(_Game):
    """A game whose discriminator maximizes the log-likelihood of its labels."""

    def __init__(self, *, smoothing: float = 0.0, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        require(0 <= smoothing < 0.5, f"smoothing must be 0 or more and below 0.5, not {smoothing}.")
        self.smoothing = smoothing

    def discriminator(self, play: Play) -> Tensor:
        return _told_apart(play, self.smoothing)


class Minimax(_LogLikelihood):
    """The minimax game: D maximizes, and G minimizes, E log D(x) + E log(1 - D(G(z))) (Goodfellow et al. 2014, eq. 1).

    The generator's gradient vanishes while the discriminator is confident; `nonsaturating` avoids this.

    Args:
        smoothing: one-sided label smoothing: the discriminator's label of real images is 1 - smoothing rather than 1
            (Salimans et al. 2016, section 3.4, with 0.1); 0 or more and below 0.5.
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Goodfellow et al. 2014, arXiv:1406.2661"

    def generator(self, play: Play) -> Tensor:
        return -_taken_for_fake(play.fake_verdict)


class NonSaturating(_LogLikelihood):
    """The non-saturating game: G minimizes -E log D(G(z)), D as in `minimax` (Goodfellow et al. 2014, section 3).

    Args:
        smoothing: one-sided label smoothing: the discriminator's label of real images is 1 - smoothing rather than 1
            (Salimans et al. 2016, section 3.4, with 0.1); 0 or more and below 0.5.
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Goodfellow et al. 2014, arXiv:1406.2661"

    def generator(self, play: Play) -> Tensor:
        return _taken_for_real(play.fake_verdict)


class Wasserstein(_Game):
    """The Wasserstein game: D minimizes E D(G(z)) - E D(x), G minimizes -E D(G(z)) (Arjovsky et al. 2017, Algorithm 1).

    By default it sets the paper's RMSProp at 5e-5, 5 discriminator turns per step, and weight clipping to ±0.01.

    Args:
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Arjovsky, Chintala & Bottou 2017, arXiv:1701.07875"
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "discriminator": {"optimizer": "rmsprop", "lr": 5e-5, "repeats": 5, "clip_weights": 0.01},
        "generator": {"optimizer": "rmsprop", "lr": 5e-5},
    }

    def discriminator(self, play: Play) -> Tensor:
        real, fake = logits(play.real_verdict), logits(play.fake_verdict)
        return play.log("wasserstein", real.mean() - fake.mean(), -1)

    def generator(self, play: Play) -> Tensor:
        return -logits(play.fake_verdict).mean()


class WassersteinGP(Wasserstein):
    """The Wasserstein game with a gradient penalty: D minimizes E D(G(z)) - E D(x) + λ E (‖∇ D(x̂)‖₂ - 1)².

    Each x̂ is a uniformly random interpolation of one real and one generated image (Gulrajani et al. 2017, eq. 3).
    The discriminator must judge each image independently, so it cannot use batch normalization.

    By default it sets the paper's Adam at 1e-4 with β = (0, 0.9), and 5 discriminator turns per step.

    Args:
        penalty: the factor λ of the gradient penalty, 0 or more.
        target: target γ of the gradient norm, above 0; the penalty is λ/γ² E (‖∇ D(x̂)‖₂ - γ)². Karras et al. use 750
            on CIFAR-10, which allows D to change fast between real and generated images.
        drift: the factor ε of E D(x)², which keeps the discriminator's scores near zero, 0 or more; 0.001 in Karras
            et al. 2018, arXiv:1710.10196, appendix A.1.
        per_sample: whether to require a discriminator that judges each image independently; that of Karras et al.
            uses a batch statistic.
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Gulrajani et al. 2017, arXiv:1704.00028"
    needs = frozenset({"logits", "per-sample"})
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "discriminator": {"optimizer": "adam", "lr": 1e-4, "betas": [0.0, 0.9], "repeats": 5},
        "generator": {"optimizer": "adam", "lr": 1e-4, "betas": [0.0, 0.9]},
    }

    def __init__(
        self,
        *,
        penalty: float = 10.0,
        target: float = 1.0,
        drift: float = 0.0,
        per_sample: bool = True,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight=weight)
        require(0 <= penalty < math.inf, f"penalty must be 0 or more and finite, not {penalty}.")
        require(0 < target < math.inf, f"target must be above 0 and finite, not {target}.")
        require(0 <= drift < math.inf, f"drift must be 0 or more and finite, not {drift}.")
        self.penalty = penalty
        self.target = target
        self.drift = drift
        if not per_sample:
            self.needs = frozenset({"logits"})

    def discriminator(self, play: Play) -> Tensor:
        """E D(G(z)) - E D(x) + λ/γ² E (‖∇ D(x̂)‖₂ - γ)² + ε E D(x)²."""
        objective = super().discriminator(play) + play.log("penalty", self._gradient_penalty(play), self.penalty)
        if self.drift:
            objective = objective + play.log("drift", logits(play.real_verdict).square().mean(), self.drift)
        return objective

    def _gradient_penalty(self, play: Play) -> Tensor:
        between = _interpolate(play.real.detach(), play.fake.detach()).requires_grad_()
        with torch.enable_grad():
            judged = logits(play.judge(between))
            (gradient,) = torch.autograd.grad(judged.sum(), between, create_graph=True)
        norms: Tensor = torch.linalg.vector_norm(wide(gradient).flatten(1), dim=1)
        return ((norms / self.target - 1) ** 2).mean()


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
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Kingma & Welling 2014, arXiv:1312.6114"
    needs = frozenset({"posterior"})
    prior: tuple[str, ...] = ("normal",)
    conditional_prior = True

    def __init__(
        self, *, reconstruction: Literal["mse", "bce", "l1"] = "mse", beta: float = 1.0, weight: float = 1.0
    ) -> None:
        super().__init__()
        require(0 <= beta < math.inf, f"beta must be 0 or more and finite, not {beta}.")
        self.reconstruction = reconstruction
        self.beta = beta
        if not beta:
            self.prior = ()
            self.notes = ("vae: beta=0 fits codes to no distribution, so images decoded from noise mean nothing.",)
        self.weight = _check_weight(weight)

    def autoencoder(self, play: Play) -> Tensor:
        """-E log p(x|z) + β KL(q(z|x) ‖ N(0, I)), per image."""
        posterior, images = play.posterior, play.reconstruction
        if self.beta and posterior.mean.requires_grad and not posterior.log_variance.requires_grad:
            raise FitError(
                "loss 'vae' fits posteriors to N(0, I), but this generator's are points, of a constant variance",
                "use --generator vae, or --loss vae:beta=0 to fit them to nothing",
            )
        mean, log_variance = posterior.mean, posterior.log_variance
        bound = vae_loss(images, play.real, mean, log_variance, kind=self.reconstruction, beta=self.beta)
        with torch.no_grad():  # the operator fuses both terms
            divergence = _divergence(wide(mean), wide(log_variance))
            play.log("reconstruction", bound - self.beta * divergence)
            play.log("kl", divergence, self.beta)
        return bound


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp log_variance) ‖ N(0, I)), averaged over the batch."""
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum() / len(mean)
