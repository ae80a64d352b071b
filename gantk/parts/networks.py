"""Networks from noise to images, from images to better ones, and from images to verdicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gantk.parts.part import ImageShape, Part

__all__ = ["Discriminator", "Generator", "Posterior", "Refiner", "Verdict"]


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian over codes, one per image: `mean` and `log_variance`, each `[N, dim]`."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, standard_normal: Tensor | None = None) -> Tensor:
        """A sample by reparametrization: mean + exp(log_variance / 2) · ε (Kingma & Welling 2014, eq. 10)."""
        epsilon = torch.randn_like(self.mean) if standard_normal is None else standard_normal
        return self.mean + (0.5 * self.log_variance).exp() * epsilon


class Generator(Part, ABC):
    """A network from noise `[N, noise_dim]` to images `[N, C, H, W]` in [-1, 1]."""

    image_shape: ImageShape
    """(channels, height, width) of its images."""
    provides: frozenset[str] = frozenset()
    """What losses may need of it: `posterior` if it has an encoder; `sphere` if the means of posteriors lie on the unit
    sphere and `gantk.nn.OnSphere` projects its noise onto it, so that codes are bounded."""
    offers: Mapping[str, Mapping[str, Any]] = {}
    """need → the options that make this generator provide it."""
    condition_dim: int = 0
    """How many of the numbers that it reads, the last ones, are the condition; `build` sets it."""
    unconditional_codes: bool = False
    """Whether it decodes its own codes without a condition, although it reads one."""

    @abstractmethod
    def forward(self, noise: Tensor) -> Tensor:
        """Images for noise vectors."""

    def encode(self, images: Tensor) -> Posterior:
        """The posterior over codes of images; for generators that provide `posterior`."""
        raise TypeError(f"{type(self).__name__} has no encoder: it does not provide 'posterior'")


class Refiner(Part, ABC):
    """A network that improves images and keeps their shape (a denoiser); it adds its own players to any game."""

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Refined images `[N, C, H, W]` in [-1, 1]."""


@dataclass(frozen=True)
class Verdict:
    """The outputs of a discriminator for a batch; those that it does not provide are `None`."""

    logits: Tensor | None = None
    """`[N]`: one unbounded realness score per image, not a probability."""
    hidden: tuple[Tensor, ...] | None = None
    """Activation maps, one `[N, …]` per hidden layer, the deepest last."""
    code: Tensor | None = None
    """`[N, noise_dim]`: the predicted code of each image."""
    classes: Tensor | None = None
    """`[N, class_count]`: class logits."""


class Discriminator(Part, ABC):
    """Judges images."""

    provides: frozenset[str] = frozenset({"logits"})
    """Which of `logits`, `hidden`, `code`, `classes` its verdicts hold; `per-sample` where a verdict on one image
    does not depend on the rest of the batch (no batch normalization), which gradient penalties need; `energy` where its
    logits are minus an energy, such as a reconstruction error, and so never positive."""
    offers: Mapping[str, Mapping[str, Any]] = {}
    """need → the options that make this discriminator provide it, as `{"per-sample": {"norm": "layer"}}`. One with a
    nested part passes on that part's: `gantk.construct.offers_of`."""
    reads_condition: bool = False
    """Whether `forward` also takes the conditions `[N, dim]` (projection, class heads). Otherwise, conditions are added
    to the images as channels."""

    @abstractmethod
    def forward(self, images: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images."""
