"""Consistency of the discriminator, diversity of the generator, and feature matching."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from gantk import Loss, Play, require
from gantk.nn import hidden_map, logits, pixels_at, wide
from gantk_adversarial.shared import Lazy, require_factor

__all__ = ["Consistency", "Diversity", "FeatureMatching"]

EPSILON = 1e-5
"""Keeps quotients of distances finite where two images or two noise vectors are equal."""


class Consistency(Lazy):
    """Balanced consistency: λ E (D(x) - D(T(x)))² over real and generated images, which D minimizes.

    T mirrors an image at random and moves it by whole pixels, so that the discriminator cannot tell images by what
    does not matter. `fake=0` is the consistency regularization of Zhang et al. 2020 (CR-GAN). Use `flip=false` for
    data that mirroring changes, such as digits.

    Args:
        real: the factor λ for real images, 0 or more.
        fake: the factor λ for generated images, 0 or more.
        shift: the most that T moves an image, as a share of each side, in [0, 1); moved-in pixels repeat the edge's.
        flip: whether T mirrors half of the images, chosen at random.
        every: steps from one computation to the next, at least 1; its weight is multiplied by as much.
        weight: factor of this loss in the discriminator's objective, 0 or more.
    """

    paper = "Zhang et al. 2020, arXiv:1910.12027; Zhao et al. 2021, arXiv:2002.04724, section 2.2"
    needs = frozenset({"logits"})

    def __init__(
        self,
        *,
        real: float = 10.0,
        fake: float = 10.0,
        shift: float = 0.125,
        flip: bool = True,
        every: int = 1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(every=every, weight=weight)
        require(0 <= shift < 1, f"shift must be 0 or more and below 1, not {shift}.")
        self.real, self.fake = require_factor("real", real), require_factor("fake", fake)
        self.shift, self.flip = shift, flip

    def discriminator(self, play: Play) -> Tensor | None:
        """λ E (D(x) - D(T(x)))² + λ E (D(G(z)) - D(T(G(z))))²."""
        if not self._due(play):
            return None
        terms = []
        if self.real:
            changed = (logits(play.real_verdict) - logits(play.judge(self._moved(play.real)))).square().mean()
            terms.append(play.log("real", changed, self.every * self.real))
        if self.fake:
            changed = (logits(play.fake_verdict) - logits(play.judge(self._moved(play.fake)))).square().mean()
            terms.append(play.log("fake", changed, self.every * self.fake))
        return torch.stack(terms).sum() if terms else None

    def _moved(self, images: Tensor) -> Tensor:
        """T(x): a new choice for each image."""
        images = images.detach()
        lines, columns = (self._places(len(images), side, images.device) for side in images.shape[2:])
        if self.flip:
            mirrored = torch.rand(len(images), 1, device=images.device) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        return pixels_at(images, lines[:, :, None], columns[:, None, :])

    def _places(self, count: int, side: int, device: torch.device) -> Tensor:
        """`[count, side]`: from which pixel of an axis each one is taken, after a shift of its own."""
        most = round(self.shift * side)
        shift = torch.randint(-most, most + 1, (count, 1), device=device)
        return (torch.arange(side, device=device) + shift).clamp(0, side - 1)


class Diversity(Lazy):
    """Mode seeking: the generator's images differ as their noise does; it counters mode collapse.

    With r = E d(G(z₁), G(z₂)) / d(z₁, z₂), the ratio of mean absolute differences of two images and of their noise,
    the generator minimizes 1 / r (Mao et al. 2019), or -min(r, `bound`), taken for each pair (Yang et al. 2019). Each
    row of a batch is paired with the next. In a conditional game, the images of a pair have the same condition.

    Args:
        form: `inverse` minimizes 1 / r, `bounded` minimizes -min(r, bound).
        bound: the ratio above which `bounded` wants no more, above 0.
        every: steps from one computation to the next, at least 1; its weight is multiplied by as much.
        weight: factor of this loss in the generator's objective, 0 or more.
    """

    paper = "Mao et al. 2019, arXiv:1903.05628; Yang et al. 2019, arXiv:1901.09024"

    def __init__(
        self,
        condition_dim: int = 0,
        *,
        form: Literal["inverse", "bounded"] = "inverse",
        bound: float = 10.0,
        every: int = 1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(every=every, weight=weight)
        require(0 < bound < math.inf, f"bound must be above 0 and finite, not {bound}.")
        self.condition_dim = condition_dim
        self.form = form
        self.bound = bound

    def generator(self, play: Play) -> Tensor | None:
        """1 / r, or -min(r, bound)."""
        if not self._due(play) or len(play.noise) < 2:
            return None
        ratios = self._ratios(play)
        with torch.no_grad():
            play.log("ratio", ratios.mean(), 0.0)
        term = 1 / (ratios.mean() + EPSILON) if self.form == "inverse" else -ratios.clamp(max=self.bound).mean()
        return self.every * term

    def _ratios(self, play: Play) -> Tensor:
        """`[N]`: of each pair."""
        noise, images = play.noise, play.fake
        if self.condition_dim:
            own, condition = noise[:, : -self.condition_dim], noise[:, -self.condition_dim :]
            next_noise = own.roll(-1, 0)
            next_images = play.generate(torch.cat([next_noise, condition], dim=1))
        else:
            own, next_noise, next_images = noise, noise.roll(-1, 0), images.roll(-1, 0)
        apart, noise_apart = _distances(images, next_images), _distances(own, next_noise)
        return apart / (noise_apart + EPSILON)


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """`[N]`: the mean absolute difference of row i of one and row i of the other."""
    return wide(one - other).abs().flatten(1).mean(dim=1)


class FeatureMatching(Loss):
    """Feature matching: ‖E f(x) - E f(G(z))‖₂², which G minimizes, f being a hidden map of D (Salimans et al. 2016).

    It is added to the game's own loss. The squared norm is over the whole map, so its size depends on the network:
    watch it in the log, and set `weight`.

    Args:
        layer: which of the discriminator's hidden maps is f; 0 is the first, -1 the deepest.
        weight: factor of this loss in the generator's objective, 0 or more.
    """

    paper = "Salimans et al. 2016, arXiv:1606.03498, section 3.1"
    needs = frozenset({"hidden"})

    def __init__(self, *, layer: int = -1, weight: float = 1.0) -> None:
        super().__init__()
        self.layer = layer
        self.weight = require_factor("weight", weight)

    def generator(self, play: Play) -> Tensor:
        """‖E f(x) - E f(G(z))‖²; the real images' mean is a constant."""
        real, fake = (
            wide(hidden_map(verdict, self.layer)).mean(dim=0) for verdict in (play.real_verdict, play.fake_verdict)
        )
        return (real.detach() - fake).square().sum()
