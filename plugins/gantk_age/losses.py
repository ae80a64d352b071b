"""AGE's loss: the divergence of codes from N(0, I), and reconstruction losses of images and codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gantk import Loss, Play, require
from gantk.errors import FitError

__all__ = ["AGELoss", "code_divergence"]


def code_divergence(
    codes: Tensor, *, direction: Literal["qp", "pq"] = "qp", scale: Literal["std", "variance"]
) -> Tensor:
    """KL divergence between N(0, I) and the Gaussian fitted to `[N, dim]` codes, per dimension, averaged over them.

    Args:
        codes: two or more codes.
        direction: `qp` is KL(fit ‖ N(0, I)) = mean ½ (s² + m²) - log s - ½, and `pq` is KL(N(0, I) ‖ fit) =
            mean (1 + m²) / (2 s²) + log s - ½.
        scale: meaning of s: the standard deviation or, as in the authors' code, the variance.

    Raises:
        FitError: there are fewer than two codes.
    """
    if len(codes) < 2:
        raise FitError("loss 'age' fits a Gaussian to the codes of a batch: use batches of at least 2 images.")
    variance, mean = codes.var(dim=0, correction=0), codes.mean(dim=0)
    # If all codes agree in a dimension, the divergence would be infinite; the clamp makes it very large instead.
    variance = variance.clamp_min(SMALLEST_VARIANCE)
    log_s, square = (0.5 * variance.log(), variance) if scale == "std" else (variance.log(), variance.square())
    if direction == "qp":
        return ((square + mean.square()) / 2 - log_s - 0.5).mean()
    return ((1 + mean.square()) / (2 * square) + log_s - 0.5).mean()


SMALLEST_VARIANCE = 1e-12
ROUNDING = 1e-5
"""How far from 1 the length of a vector on the unit sphere may be in float32."""


def _mean_l1(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).abs().mean()


def _mean_l2(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).square().mean()


def _cosine(found: Tensor, wanted: Tensor) -> Tensor:
    """1 - cos, divided by the dimension as means over elements are; on the unit sphere it is half of `l2`."""
    return (1 - F.cosine_similarity(found, wanted, dim=1)).mean() / found.shape[1]


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": _mean_l1, "l2": _mean_l2, "cos": _cosine}
"""Distances between batches of vectors or images, averaged over every element."""


class AGELoss(Loss):
    """The game of an encoder E and a generator G over the divergence of codes from N(0, I) (Ulyanov et al. 2018).

    E minimizes Δ(E(x)) - Δ(E(G(z))) + μ d(G(E(x)), x), and G minimizes Δ(E(G(z))) + λ d(E(G(z)), z), where Δ is the KL
    divergence between N(0, I) and a Gaussian fitted to the batch's codes in each dimension, averaged over dimensions.

    Codes and noise are compared on the unit sphere. Without that, E would make -Δ(E(G(z))) as small as it likes by ever
    longer codes. Generators project them themselves (`sphere`), so that they are sampled from and encode there as well.

    Args:
        images: factor μ of the image reconstruction loss in the encoder's objective, 0 or more.
        codes: factor λ of the noise reconstruction loss in the generator's objective, 0 or more.
        image_distance: distance between images: mean absolute (l1) or mean squared (l2) difference of pixels.
        code_distance: distance between codes: 1 - cosine, divided by the dimension (cos), or mean absolute (l1) or
            squared (l2) difference.
        direction: qp is KL(codes ‖ N(0, I)), as in the paper; pq is KL(N(0, I) ‖ codes).
        scale: scale of the fitted Gaussian in the formula: std as in the paper, or variance as in the authors' code.
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Ulyanov, Vedaldi & Lempitsky 2018, arXiv:1704.02304"
    adversarial = True
    needs = frozenset({"posterior", "sphere"})
    prior = ("sphere", "normal", "uniform")

    def __init__(
        self,
        *,
        images: float = 10.0,
        codes: float = 1000.0,
        image_distance: Literal["l1", "l2"] = "l1",
        code_distance: Literal["cos", "l2", "l1"] = "cos",
        direction: Literal["qp", "pq"] = "qp",
        scale: Literal["std", "variance"] = "std",
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        for name, value in (("images", images), ("codes", codes), ("weight", weight)):
            require(0 <= value < math.inf, f"{name} is 0 or more and finite, not {value}.")
        self.images = images
        self.codes = codes
        self.image_distance = DISTANCES[image_distance]
        self.code_distance = DISTANCES[code_distance]
        self.direction = direction
        self.scale = scale
        self.weight = weight

    def encoder(self, play: Play) -> Tensor:
        """Δ(E(x)) - Δ(E(G(z))) + μ d(G(E(x)), x)."""
        codes = _codes(play, play.real)
        real, fake = self._divergence(codes), self._divergence(_codes(play, play.fake))
        objective = play.log("real_divergence", real) + play.log("fake_divergence", fake, -1)
        if self.images:
            distance = self.image_distance(play.autoencoder(codes).float(), play.real)
            objective = objective + play.log("image_distance", distance, self.images)
        return objective

    def generator(self, play: Play) -> Tensor:
        """Δ(E(G(z))) + λ d(E(G(z)), z)."""
        codes = _codes(play, play.fake)
        objective = play.log("fake_divergence", self._divergence(codes))
        if self.codes:
            distance = self.code_distance(codes, _projected(play.noise))
            objective = objective + play.log("code_distance", distance, self.codes)
        return objective

    def _divergence(self, codes: Tensor) -> Tensor:
        return code_divergence(codes, direction=self.direction, scale=self.scale)


def _codes(play: Play, images: Tensor) -> Tensor:
    """An image's code is its posterior's mean on the unit sphere."""
    return _projected(play.autoencoder.encode(images).mean)


def _projected(vectors: Tensor) -> Tensor:
    """On the unit sphere, in float32 at least; vectors that lie on it are left as they are, in every bit."""
    vectors = vectors if vectors.itemsize >= 4 else vectors.float()
    lies = (vectors.detach().norm(dim=1, keepdim=True) - 1).abs() < ROUNDING
    return torch.where(lies, vectors, F.normalize(vectors, dim=1))
