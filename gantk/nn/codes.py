"""Posteriors from the outputs of an encoder: a Gaussian, or a code that is a function of the image."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.parts import Posterior

__all__ = ["divergence_from_normal", "gaussian", "point"]

LOG_VARIANCE = (-30.0, 20.0)
"""Bounds of a log-variance, so that exp() is finite; the least stands for a variance of 0."""


def gaussian(outputs: Tensor) -> Posterior:
    """The posterior whose means and log-variances are the halves of an encoder's outputs `[N, 2 · dim]`.

    Log-variances are kept between -30 and 20, so that their exponentials are finite.
    """
    mean, log_variance = outputs.chunk(2, dim=1)
    return Posterior(mean, log_variance.clamp(*LOG_VARIANCE))


def point(codes: Tensor) -> Posterior:
    """The posterior of an encoder whose codes `[N, dim]` are functions of the images; its log-variance is -30."""
    return Posterior(codes, torch.full_like(codes, LOG_VARIANCE[0]))


def divergence_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, I)) of each image and dimension `[N, dim]`, in float32 (Kingma & Welling 2014)."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)
