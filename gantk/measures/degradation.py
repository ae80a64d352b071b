"""Degraded images: noisy, of low resolution, incomplete; what a model that reconstructs can be tried on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from gantk import toml
from gantk.errors import OptionError, nearest
from gantk.parts import ImageShape

__all__ = ["Degradation", "degrade"]

BLACK = -1.0


@dataclass(frozen=True)
class _Kind:
    """One way to degrade: what its number may be, and what it does to `[N, C, H, W]` images in [-1, 1]."""

    range: str
    allows: Callable[[float], bool]
    apply: Callable[[Tensor, float, torch.Generator], Tensor]


def _noise(images: Tensor, deviation: float, rng: torch.Generator) -> Tensor:
    return (images + deviation * torch.randn(images.shape, generator=rng)).clamp(-1, 1)


def _downscale(images: Tensor, factor: float, rng: torch.Generator) -> Tensor:
    height, width = images.shape[2:]
    small = F.interpolate(images, (math.ceil(height / factor), math.ceil(width / factor)), mode="area")
    return F.interpolate(small, (height, width), mode="bilinear")


def _mask(images: Tensor, share: float, rng: torch.Generator) -> Tensor:
    masked = images.clone()
    height, width = images.shape[2:]
    sides = max(1, round(height * math.sqrt(share))), max(1, round(width * math.sqrt(share)))
    for image in masked:
        tops = (height - sides[0], width - sides[1])
        top, left = (int(torch.randint(room + 1, (), generator=rng)) for room in tops)
        image[:, top : top + sides[0], left : left + sides[1]] = BLACK
    return masked


KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "noise": _Kind("above 0 and finite", lambda x: 0 < x < math.inf, _noise),
        "downscale": _Kind("a whole number of at least 2", lambda x: x >= 2 and x == int(x), _downscale),
        "mask": _Kind("above 0 and below 1", lambda x: 0 < x < 1, _mask),
    }
)


@dataclass(frozen=True)
class Degradation:
    """`noise=0.3`, `downscale=4` or `mask=0.25`.

    noise adds Gaussian noise of that standard deviation to pixels in [-1, 1] and cuts what leaves that range;
    downscale takes the mean of blocks of that many pixels to a side and scales up again, bilinearly; mask blackens
    one rectangle of that share of the image, of the image's proportions, at a random place.
    """

    kind: str
    amount: float

    @classmethod
    def parse(cls, text: str) -> Degradation:
        """Read `KIND=NUMBER`.

        Raises:
            OptionError: it is not of that form, there is no such kind, or the number is out of its range.
        """
        kind, equals, number = text.partition("=")
        if not equals:
            raise OptionError(f"a degradation is like noise=0.3, downscale=4 or mask=0.25, not '{text}'.")
        if kind not in KINDS:
            raise OptionError(f"there is no degradation '{kind}'.{nearest(kind, KINDS)}")
        try:
            amount = float(number)
        except ValueError:
            amount = math.nan
        if not (math.isfinite(amount) and KINDS[kind].allows(amount)):
            raise OptionError(f"{kind} is {KINDS[kind].range}, not '{number}'.")
        return cls(kind, amount)

    def check(self, shape: ImageShape) -> None:
        """Refuse what would leave nothing of images of this shape; raises `OptionError`."""
        shorter = min(shape[1:])
        if self.kind == "downscale" and self.amount > shorter:
            raise OptionError(f"{self}: the shorter side of these images has {shorter} pixels; downscale by no more.")

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Degraded `[N, C, H, W]` images in [-1, 1], on the CPU; the same state of `rng` gives the same images.

        Raises:
            OptionError: as `check` does.
        """
        self.check((images.shape[1], images.shape[2], images.shape[3]))
        return KINDS[self.kind].apply(images, self.amount, rng)

    def __str__(self) -> str:
        return f"{self.kind}={toml.number(self.amount)}"


def degrade(images: Tensor, degradations: Sequence[Degradation], rng: torch.Generator) -> Tensor:
    """Every image through every degradation, in order; what becomes of one does not depend on those after it.

    Raises:
        OptionError: as `Degradation.check` does.
    """
    if not degradations or not len(images):
        return images
    return torch.cat([_through(image, degradations, rng) for image in torch.split(images, 1)])


def _through(image: Tensor, degradations: Sequence[Degradation], rng: torch.Generator) -> Tensor:
    for each in degradations:
        image = each(image, rng)
    return image
