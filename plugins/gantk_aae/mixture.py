"""A prior with one component per class, for any autoencoder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gantk import Generator, Posterior, require
from gantk.construct import nested, offers_of
from gantk.errors import FitError
from gantk.nn import point
from gantk.parts import ImageShape

__all__ = ["ClassMixture"]


class ClassMixture(Generator):
    """An autoencoder whose prior is a mixture of Gaussians, one for each class; the decoder never sees the class.

    A code is z = μ_y + R_y (σ₁ε₁, σ₂ε₂, ε₃, …), ε being the noise and y the class: in the first two dimensions, the
    centers μ lie evenly on a circle, and R turns a Gaussian's first axis towards its center.

    Args:
        of: generator plugin with an encoder, with options.
        radius: distance of the centers from 0, above 0.
        along: standard deviation in the direction from 0 to the center, above 0.
        across: standard deviation at right angles to it, above 0.
    """

    paper = "Makhzani et al. 2016, arXiv:1511.05644, section 2.3"
    unconditional_codes = True
    turns: Tensor
    centers: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        class_count: int,
        *,
        of: str = "gantk:aae",
        radius: float = 4.0,
        along: float = 1.0,
        across: float = 0.4,
    ) -> None:
        super().__init__()
        for name, value in (("radius", radius), ("along", along), ("across", across)):
            require(0 < value < math.inf, f"{name} must be positive and finite, not {value}.")
        dim = noise_dim - condition_dim
        if condition_dim == 0:
            raise FitError(
                "its prior has one component per class, but this model has no classes", "use --condition class"
            )
        if dim < 2:
            raise FitError("its components lie on a circle, but the noise has one dimension", "use --noise gaussian")
        context = {"noise_dim": dim, "condition_dim": 0, "class_count": class_count}
        self.within: Generator = nested("generator", of, needs=("posterior",), image_shape=image_shape, **context)
        self.image_shape = image_shape
        self.provides = frozenset({"posterior"})
        self.offers: Mapping[str, Mapping[str, Any]] = offers_of("of", of, self.within)
        angles = 2 * math.pi * torch.arange(condition_dim) / condition_dim
        directions = torch.stack([angles.cos(), angles.sin()], dim=1)
        turned = torch.stack([along * directions, across * directions.flip(1) * torch.tensor([-1.0, 1.0])], dim=2)
        turns, centers = torch.zeros(condition_dim, dim, dim), torch.zeros(condition_dim, dim)
        turns[:, :2, :2] = turned - torch.eye(2)
        centers[:, :2] = radius * directions
        self.register_buffer("turns", turns)
        self.register_buffer("centers", centers)

    def place(self, noise: Tensor) -> Tensor:
        """The codes `[N, dim]` of noise and one-hot classes `[N, noise_dim]`; without a class, a code is the noise."""
        dim = self.centers.shape[1]
        drawn, classes = noise[:, :dim], noise[:, dim:]
        turned: Tensor = torch.einsum("nk,kij,nj->ni", classes, self.turns, drawn)
        return drawn + turned + classes @ self.centers

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.within(self.place(noise))
        return images

    def encode(self, images: Tensor) -> Posterior:
        """The posterior of codes, followed by zeros: an encoder does not know the class."""
        found = self.within.encode(images)
        none = point(found.mean.new_zeros(len(found.mean), len(self.centers)))
        pairs = ((found.mean, none.mean), (found.log_variance, none.log_variance))
        mean, log_variance = (torch.cat(pair, dim=1) for pair in pairs)
        return Posterior(mean, log_variance)
