"""BEGAN: the discriminator is an autoencoder, and a number k keeps the two players in balance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Discriminator, Loss, Play, Verdict, require
from gantk.errors import FitError
from gantk.nn import DownStack, Norm, halve_until, output_activation, provided, up_stack, upsampler
from gantk.parts import ImageShape


class AutoencodingDiscriminator(Discriminator):
    """An autoencoder as discriminator: the logit of an image is minus its reconstruction error, E |x - D(x)|.

    Args:
        width: channels next to the image, at least 1; they double with each halving, up to 8 · width.
        norm: normalization of the layers within; gradient penalties need one other than batch.
    """

    paper = "Berthelot, Schumm & Metz 2017, arXiv:1703.10717"
    offers: Mapping[str, Mapping[str, Any]] = {"per-sample": {"norm": "layer"}}

    def __init__(self, image_shape: ImageShape, *, width: int = 32, norm: Norm = "none") -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        self.provides = provided(norm=norm, code=False)
        sizes = halve_until(image_shape[1:], 7)
        widths = [width * min(2**depth, 8) for depth in range(len(sizes) - 1)]
        self.down = DownStack(image_shape[0], image_shape[1:], widths, kernel=4, norm=norm)
        self.up = up_stack(widths[-1], sizes[:0:-1], widths[-2::-1], kernel=4, norm=norm)
        self.image = nn.Sequential(
            upsampler(widths[0], image_shape[0], sizes[1], sizes[0], 4), output_activation("tanh")
        )

    def forward(self, images: Tensor) -> Verdict:
        hidden = self.down(images)
        decoded = self.image(self.up(hidden[-1]))
        return Verdict(logits=-(images - decoded).abs().flatten(1).mean(dim=1), hidden=hidden)


class BEGAN(Loss):
    """The equilibrium game: D minimizes L(x) - k L(G(z)), G minimizes L(G(z)), L being D's reconstruction error.

    After each turn of D, k moves by λ (γ L(x) - L(G(z))) and stays in [0, 1]; each game has a k of its own.

    Args:
        gamma: the diversity ratio γ = E L(G(z)) / E L(x) that is kept, in (0, 1].
        rate: λ, by which k moves, above 0.
        weight: factor of this loss in its players' sums, 0 or more.
    """

    paper = "Berthelot, Schumm & Metz 2017, arXiv:1703.10717, section 3.3"
    adversarial = True
    needs = frozenset({"logits"})
    state: Mapping[str, float] = {"k": 0.0}

    def __init__(self, *, gamma: float = 0.5, rate: float = 1e-3, weight: float = 1.0) -> None:
        super().__init__()
        require(0 < gamma <= 1, f"gamma must be in (0, 1], not {gamma}.")
        require(0 < rate < math.inf, f"rate must be positive and finite, not {rate}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.gamma = gamma
        self.rate = rate
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        """L(x) - k L(G(z))."""
        real, fake = play.log("real", _error(play.real_verdict)), play.log("fake", _error(play.fake_verdict))
        return real - play.state["k"] * fake

    def generator(self, play: Play) -> Tensor:
        """L(G(z))."""
        return _error(play.fake_verdict)

    def after_discriminator(self, play: Play) -> Mapping[str, Tensor]:
        """k + λ (γ L(x) - L(G(z))), kept in [0, 1]."""
        balance = self.gamma * _error(play.real_verdict) - _error(play.fake_verdict)
        return {"k": (play.state["k"] + self.rate * balance).clamp(0, 1)}


def _error(verdict: Verdict) -> Tensor:
    """The mean reconstruction error of a batch."""
    if verdict.logits is None or (verdict.logits > 0).any():
        raise FitError(
            "loss 'mini-began' reads logits as negative reconstruction errors", "use --discriminator mini-autoencoding"
        )
    return -verdict.logits.float().mean()
