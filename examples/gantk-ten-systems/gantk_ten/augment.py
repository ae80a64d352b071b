"""DiffAugment and ADA: what the discriminator is shown is augmented, real and generated images alike."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from gantk import Part, Play, require
from gantk.errors import FitError
from gantk.parts import ImageShape


class DiffAugment(Part):
    """Differentiable augmentation: every image that is judged changes its brightness and place and loses a patch.

    Args:
        brightness: the most that is added to or taken from every pixel, which lies in [-1, 1]; 0 or more.
        translation: the most that an image moves, as a share of its side, in [0, 1).
        cutout: the side of the patch that is cut out, as a share of the image's, in [0, 1).
    """

    paper = "Zhao et al. 2020, arXiv:2006.10738, section 3.2"

    def __init__(self, *, brightness: float = 0.5, translation: float = 0.125, cutout: float = 0.5) -> None:
        super().__init__()
        require(brightness >= 0, f"brightness must be 0 or more, not {brightness}.")
        require(0 <= translation < 1, f"translation must be in [0, 1), not {translation}.")
        require(0 <= cutout < 1, f"cutout must be in [0, 1), not {cutout}.")
        self.brightness = brightness
        self.translation = translation
        self.cutout = cutout

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        return _of_images(shape)

    def transform(self, images: Tensor, play: Play) -> Tensor:
        moved = translated(brighter(images, self.brightness), self.translation)
        return moved * patch(moved, self.cutout)


class AdaptiveAugmentation(Part):
    """Adaptive augmentation: each augmentation is applied with a probability p, which grows while D overfits.

    Overfitting is r = E sign(D(x)), over the real images of a batch. After each turn of the discriminator p moves
    towards more or less augmentation, as r is above or below its target, at a pace that takes it from 0 to 1 within
    `images` images. Each game has a p of its own.

    Args:
        target: of r, in (-1, 1).
        images: images in which p could go from 0 to 1, at least 1.
    """

    paper = "Karras et al. 2020, arXiv:2006.06676, section 3"
    state: Mapping[str, float] = {"p": 0.0}

    def __init__(self, *, target: float = 0.6, images: int = 500_000) -> None:
        super().__init__()
        require(-1 < target < 1, f"target must be in (-1, 1), not {target}.")
        require(images >= 1, f"images must be at least 1, not {images}.")
        self.target = target
        self.images = images

    def shown_shape(self, shape: ImageShape) -> ImageShape:
        return _of_images(shape)

    def transform(self, images: Tensor, play: Play) -> Tensor:
        for augment in (flipped, lambda x: brighter(x, 0.5), lambda x: translated(x, 0.125)):
            chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < play.state["p"]
            images = torch.where(chosen, augment(images), images)
        return images

    def after_discriminator(self, play: Play) -> Mapping[str, Tensor]:
        """p, moved by the sign of r - target."""
        logits = play.real_verdict.logits
        if logits is None:
            raise FitError("addon 'mini-ada' needs a discriminator that provides logits.")
        pace = len(logits) / self.images
        return {"p": (play.state["p"] + pace * (logits.float().sign().mean() - self.target).sign()).clamp(0, 1)}


def flipped(images: Tensor) -> Tensor:
    """Mirrored left to right."""
    return images.flip(3)


def brighter(images: Tensor, most: float) -> Tensor:
    """A random number in ±most, one per image, added to all pixels."""
    return images + most * (2 * torch.rand(len(images), 1, 1, 1, device=images.device, dtype=images.dtype) - 1)


def translated(images: Tensor, most: float) -> Tensor:
    """Moved by whole pixels, at most this share of each side, with zeros where nothing was."""
    height, width = images.shape[2:]
    sides = torch.tensor([width, height], device=images.device, dtype=images.dtype)
    shift = ((2 * torch.rand(len(images), 2, device=images.device, dtype=images.dtype) - 1) * most * sides).round()
    identity = torch.eye(2, device=images.device, dtype=images.dtype).expand(len(images), 2, 2)
    theta = torch.cat([identity, (2 * shift / sides)[:, :, None]], dim=2)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def patch(images: Tensor, share: float) -> Tensor:
    """`[N, 1, H, W]`: 0 in a rectangle of this share of each side around a random pixel, else 1."""
    masks = []
    for side in images.shape[2:]:
        center = torch.randint(side, (len(images), 1), device=images.device)
        distance = (torch.arange(side, device=images.device) - center).abs()
        masks.append(2 * distance < share * side)
    inside = masks[0][:, :, None] & masks[1][:, None, :]
    return (~inside)[:, None].to(images.dtype)


def _of_images(shape: ImageShape) -> ImageShape:
    if min(shape[1:]) < 2:
        raise FitError("it augments images, and this game judges codes", "leave it out, or choose another recipe")
    return shape
