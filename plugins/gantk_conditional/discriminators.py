"""Discriminators that read a condition, each around any discriminator that shows its hidden maps."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from gantk import Verdict
from gantk.construct import Around
from gantk.errors import FitError
from gantk.nn import evaluating
from gantk.parts import ImageShape

__all__ = ["AuxiliaryDiscriminator", "ProjectionDiscriminator"]


class _Reading(Around):
    """A discriminator around another one, whose deepest hidden map it reads: φ(x), summed over its pixels."""

    def __init__(self, of: str, image_shape: ImageShape, noise_dim: int, condition_dim: int, class_count: int) -> None:
        context = {"noise_dim": noise_dim, "condition_dim": condition_dim, "class_count": class_count}
        super().__init__(of, ["hidden"], image_shape=image_shape, **context)
        self.reads_condition = True
        with evaluating(self.within), torch.no_grad():
            verdict = self._within(torch.zeros(2, *image_shape), torch.zeros(2, condition_dim))
        self.features = _pooled(verdict).shape[1]

    def _within(self, images: Tensor, conditions: Tensor) -> Verdict:
        return super().forward(images, *((conditions,) if self.within.reads_condition else ()))

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images, given their conditions `[N, condition_dim]`."""
        (given,) = conditions
        verdict = self._within(images, given)
        return self._read(verdict, _pooled(verdict), given)

    @abstractmethod
    def _read(self, verdict: Verdict, features: Tensor, conditions: Tensor) -> Verdict:
        """The verdict, with what this discriminator reads off the features `[N, features]`."""


def _pooled(verdict: Verdict) -> Tensor:
    """The deepest hidden map, summed over its pixels: `[N, channels]`."""
    assert verdict.hidden is not None
    deepest = verdict.hidden[-1]
    return deepest.flatten(2).sum(dim=2) if deepest.dim() > 2 else deepest


class ProjectionDiscriminator(_Reading):
    """Projection: another discriminator's logit plus ⟨V c, φ(x)⟩, c being the condition of image x.

    φ(x) is that discriminator's deepest hidden map, summed over its pixels. It reads conditions of any kind: with a
    class, V has a row for each.

    Args:
        of: the discriminator within, with options, such as dcgan:norm=layer.
    """

    paper = "Miyato & Koyama 2018, arXiv:1802.05637, equation 3"

    def __init__(
        self, image_shape: ImageShape, noise_dim: int, condition_dim: int, class_count: int, *, of: str = "gantk:dcgan"
    ) -> None:
        if not condition_dim:
            raise FitError(
                "it compares images with their condition, but this model has no condition", "use --condition class"
            )
        super().__init__(of, image_shape, noise_dim, condition_dim, class_count)
        self.embedding = nn.Linear(condition_dim, self.features, bias=False)
        nn.init.normal_(self.embedding.weight, 0.0, 0.02)

    def _read(self, verdict: Verdict, features: Tensor, conditions: Tensor) -> Verdict:
        assert verdict.logits is not None
        projected = (self.embedding(conditions.to(features.dtype)) * features).sum(dim=1)
        return Verdict(verdict.logits + projected, verdict.hidden, verdict.code, verdict.classes)


class AuxiliaryDiscriminator(_Reading):
    """AC-GAN's discriminator: another discriminator with a class head on its deepest hidden map.

    The class logits are a linear function of that map, summed over its pixels. The condition is not shown to the
    discriminator: it would only have to copy it.

    Args:
        of: the discriminator within, with options, such as dcgan:norm=layer.
    """

    paper = "Odena, Olah & Shlens 2017, arXiv:1610.09585, section 3"

    def __init__(
        self, image_shape: ImageShape, noise_dim: int, condition_dim: int, class_count: int, *, of: str = "gantk:dcgan"
    ) -> None:
        if not class_count:
            raise FitError("its class head needs data with classes", "use --discriminator projection")
        super().__init__(of, image_shape, noise_dim, condition_dim, class_count)
        self.provides = self.provides | {"classes"}
        self.head = nn.Linear(self.features, class_count)
        nn.init.normal_(self.head.weight, 0.0, 0.02)
        nn.init.zeros_(self.head.bias)

    def _read(self, verdict: Verdict, features: Tensor, conditions: Tensor) -> Verdict:
        return Verdict(verdict.logits, verdict.hidden, verdict.code, self.head(features))
