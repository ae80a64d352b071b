"""DiffAugment: all that the discriminator judges is augmented."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gantk import Play, require
from gantk.nn import pixels_at
from gantk_augment.shared import OfImages, colors_of, per_image

__all__ = ["DiffAugment"]


class DiffAugment(OfImages):
    """Differentiable augmentation of all that the discriminator judges, real and generated; for small data sets.

    `color` changes brightness by up to ±0.5, saturation by a factor of 0 to 2 and contrast by one of 0.5 to 1.5, in
    images in [-1, 1]; transparency stays as it is. `translation` moves an image by whole pixels, and `cutout` sets a
    random rectangle to 0. Both players see the same kind of images, so the generator does not learn to draw them.

    Args:
        policy: any of color, translation and cutout.
        translation: the most that an image is moved, as a share of each side, in [0, 1).
        cutout: the sides of the rectangle, as a share of the image's, in [0, 1).
    """

    paper = "Zhao et al. 2020, arXiv:2006.10738"

    def __init__(
        self,
        *,
        policy: tuple[Literal["color", "translation", "cutout"], ...] = ("color", "translation", "cutout"),
        translation: float = 0.125,
        cutout: float = 0.5,
    ) -> None:
        super().__init__()
        require(len(policy) > 0, "policy is empty; expected some of color, translation and cutout.")
        require(0 <= translation < 1, f"translation must be 0 or more and below 1, not {translation}.")
        require(0 <= cutout < 1, f"cutout must be 0 or more and below 1, not {cutout}.")
        self.policy = policy
        self.translation = translation
        self.cutout = cutout

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """Augmented images; each has random numbers of its own."""
        if "color" in self.policy:
            images = _recolored(images)
        if "translation" in self.policy:
            images = _translated(images, self.translation)
        if "cutout" in self.policy:
            images = images * _kept(images, self.cutout)
        return images


def _recolored(images: Tensor) -> Tensor:
    count = colors_of(images)
    colors = images[:, :count] + per_image(images, -0.5, 0.5)
    if count > 1:
        gray = colors.mean(dim=1, keepdim=True)
        colors = gray + per_image(images, 0.0, 2.0) * (colors - gray)
    mean = colors.mean(dim=(1, 2, 3), keepdim=True)
    colors = mean + per_image(images, 0.5, 1.5) * (colors - mean)
    return torch.cat([colors, images[:, count:]], dim=1)


def _translated(images: Tensor, share: float) -> Tensor:
    """Moved by whole pixels, with 0 where nothing was."""
    places = []
    for side in images.shape[2:]:
        most = int(share * side + 0.5)
        shift = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
        places.append(torch.arange(side, device=images.device) + shift)
    (height, width), (lines, columns) = images.shape[2:], places
    within = ((lines >= 0) & (lines < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    moved = pixels_at(images, lines.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :])
    return moved * within[:, None].to(images.dtype)


def _kept(images: Tensor, share: float) -> Tensor:
    """`[N, 1, H, W]`: 0 in a rectangle around a random pixel, of which a part may lie outside, and else 1."""
    cut = []
    for side in images.shape[2:]:
        length = int(share * side + 0.5)
        center = torch.randint(side + 1 - length % 2, (len(images), 1), device=images.device)
        distance = torch.arange(side, device=images.device) - (center - length // 2)
        cut.append((distance >= 0) & (distance < length))
    return (~(cut[0][:, :, None] & cut[1][:, None, :]))[:, None].to(images.dtype)
