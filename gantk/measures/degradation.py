"""Degraded images (noisy, downscaled, masked), for testing models that reconstruct."""

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
    """A kind of degradation: the valid range of its number, and its effect on `[N, C, H, W]` images in [-1, 1]."""

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

    noise adds Gaussian noise of this standard deviation to pixels in [-1, 1] and clips the result; downscale averages
    blocks of this many pixels per side and upscales bilinearly; mask blackens a rectangle that covers this fraction of
    the image, with the image's aspect ratio, at a random position.
    """

    kind: str
    amount: float

    @classmethod
    def parse(cls, text: str) -> Degradation:
        """Read `KIND=NUMBER`.

        Raises:
            OptionError: the form is wrong, the kind does not exist, or the number is out of range.
        """
        kind, equals, number = text.partition("=")
        if not equals:
            raise OptionError(f"expected a degradation such as noise=0.3, downscale=4 or mask=0.25, not '{text}'.")
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
        """Raise `OptionError` if the degradation is too strong for images of this shape."""
        shorter = min(shape[1:])
        if self.kind == "downscale" and self.amount > shorter:
            raise OptionError(
                f"{self}: the shorter side of these images has {shorter} pixels; downscale by at most {shorter}."
            )

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
    """Apply all degradations, in order, to each image; the result for an image does not depend on later images.

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
