"""Denoising feature matching and minibatch discrimination: discriminators around any other one with hidden maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantk import Play, Verdict, require
from gantk.construct import Around
from gantk.nn import MinibatchFeatures, evaluating, hidden_map, wide
from gantk.parts import ImageShape
from gantk_adversarial.shared import require_factor

__all__ = ["DenoisingFeatures", "MinibatchDiscriminator"]


class _Reading(Around):
    """A discriminator around another one, of which it reads a hidden map.

    Args:
        of: the discriminator within, with options.
        layer: which of its hidden maps is read.
    """

    features: int
    """Values of that hidden map, for one image."""

    def __init__(
        self, of: str, layer: int, image_shape: ImageShape, noise_dim: int, condition_dim: int, class_count: int
    ) -> None:
        context = {"noise_dim": noise_dim, "condition_dim": condition_dim, "class_count": class_count}
        super().__init__(of, ["hidden"], image_shape=image_shape, **context)
        given = (torch.zeros(2, condition_dim),) if self.reads_condition else ()
        with evaluating(self.within), torch.no_grad():
            self.features = hidden_map(self.within(torch.zeros(2, *image_shape), *given), layer)[0].numel()
        self.layer = layer

    def _read(self, verdict: Verdict) -> Tensor:
        """`[N, features]`: the hidden map of each image."""
        return wide(hidden_map(verdict, self.layer)).flatten(1)


class DenoisingFeatures(_Reading):
    """Denoising feature matching: G moves its images' features to where those of real images are denser.

    A denoiser r learns ‖r(φ(x) + noise) - φ(x)‖² on features φ(x) of real images, a hidden map of the discriminator,
    with the discriminator's optimizer. The generator minimizes λ ‖φ(G(z)) - r(φ(G(z)))‖² beside the game's own loss,
    r(…) being a constant: the difference points to denser places. Both are means over the features' values.

    Args:
        of: the discriminator within, with options, such as dcgan:width=32.
        layer: which of its hidden maps is φ; 0 is the first, -1 the deepest.
        denoising: the factor λ of the generator's term, 0 or more.
        noise: standard deviation of the noise, relative to that of the features; 0 or more.
        width: units of the denoiser's two hidden layers, at least 1.
    """

    paper = (
        "Warde-Farley & Bengio 2017, ICLR, Improving Generative Adversarial Networks with Denoising Feature Matching"
    )

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        class_count: int,
        *,
        of: str = "gantk:dcgan",
        layer: int = -1,
        denoising: float = 1.0,
        noise: float = 1.0,
        width: int = 256,
    ) -> None:
        super().__init__(of, layer, image_shape, noise_dim, condition_dim, class_count)
        require(width >= 1, f"width must be at least 1, not {width}.")
        self.denoising = require_factor("denoising", denoising)
        self.noise = require_factor("noise", noise)
        layers = [nn.Linear(self.features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        self.denoiser = nn.Sequential(*layers, nn.Linear(width, self.features))

    def discriminator(self, play: Play) -> Tensor:
        """The denoiser's error on real features, which moves the denoiser only."""
        features = self._read(play.real_verdict).detach()
        spread = features.std(correction=0)
        restored = wide(self.denoiser(features + self.noise * spread * torch.randn_like(features)))
        return (restored - features).square().mean()

    def generator(self, play: Play) -> Tensor:
        """λ times the distance of generated features from what the denoiser makes of them."""
        features = self._read(play.fake_verdict)
        with torch.no_grad():
            restored = wide(self.denoiser(features))
        return play.log("distance", (features - restored).square().mean(), self.denoising)


class MinibatchDiscriminator(_Reading):
    """Minibatch discrimination: a discriminator also sees how close each image is to the others of its batch.

    Its features are mapped by a tensor to `kernels` vectors of length `dims`. For each, the sum over the other images
    of exp(-‖difference‖₁) is a further feature; the logit gets a linear function of them. A generator that draws the
    same image again and again is recognized by that. In evaluation mode a verdict does not depend on the batch: these
    features then are their running means.

    Args:
        of: the discriminator within, with options, such as dcgan:width=32.
        layer: which of its hidden maps has the features; 0 is the first, -1 the deepest.
        kernels: number of vectors, at least 1.
        dims: length of each, at least 1.
    """

    paper = "Salimans et al. 2016, arXiv:1606.03498, section 3.2"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        class_count: int,
        *,
        of: str = "gantk:dcgan",
        layer: int = -1,
        kernels: int = 32,
        dims: int = 8,
    ) -> None:
        super().__init__(of, layer, image_shape, noise_dim, condition_dim, class_count)
        require(kernels >= 1, f"kernels must be at least 1, not {kernels}.")
        require(dims >= 1, f"dims must be at least 1, not {dims}.")
        # A verdict depends on the rest of the batch, and the discriminator within cannot change that.
        self.provides = self.provides - {"per-sample"}
        self.offers = {need: offer for need, offer in self.offers.items() if need != "per-sample"}
        self.close = MinibatchFeatures(self.features, kernels, dims)
        self.logit = nn.Linear(kernels, 1, bias=False)
        nn.init.normal_(self.logit.weight, 0.0, 0.02)

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        """The verdict, with a logit that depends on the whole batch."""
        verdict = super().forward(images, *conditions)
        assert verdict.logits is not None
        logits = wide(verdict.logits) + wide(self.logit(self.close(self._read(verdict)))).squeeze(1)
        return Verdict(logits, verdict.hidden, verdict.code, verdict.classes)
