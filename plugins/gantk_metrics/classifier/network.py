"""The classifier's network: few enough operations for a processor, accurate enough to judge by."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from gantk.parts import ImageShape

__all__ = ["ClassifierNetwork"]

SCALE = 1 / 9
"""Factor of the logits: with weights as they are drawn, they would begin far too certain."""


class ClassifierNetwork(nn.Module):
    """A convolution that whitens patches, and one to three blocks of two convolutions each.

    The design is that of Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", made narrower.

    Args:
        image_shape: (channels, height, width) of its images, at least 4x4 pixels.
        class_count: number of classes.
        width: channels of the first block; the others have four times as many.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, image_shape: ImageShape, class_count: int, width: int) -> None:
        super().__init__()
        channels, *sides = image_shape
        halvings = min(3, max(1, int(math.log2(min(sides) / 3))))
        patterns, self.dim = 4 * channels, 4 * width  # 2x2 pixels
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("deviation", torch.ones(channels, 1, 1))
        self.whiten = nn.Conv2d(channels, 2 * patterns, 2)
        self.whiten.weight.requires_grad_(False)
        sizes = [2 * patterns, width, *[self.dim] * (halvings - 1)] if halvings > 1 else [2 * patterns, self.dim]
        blocks = [_block(before, after) for before, after in pairwise(sizes)]
        self.body = nn.Sequential(nn.GELU(), *blocks, nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.head = nn.Linear(self.dim, class_count, bias=False)

    @torch.no_grad()
    def whiten_patches(self, images: Tensor) -> None:
        """Set the first layer by images `[N, C, H, W]`: its responses to their 2x2 patches are uncorrelated.

        Those are the patches' principal components, each scaled to variance 1, with either sign.
        """
        self.mean.copy_(images.mean((0, 2, 3)).view(-1, 1, 1))
        self.deviation.copy_(images.std((0, 2, 3)).clamp_min(1e-3).view(-1, 1, 1))
        patches = nn.functional.unfold((images - self.mean) / self.deviation, 2).transpose(1, 2).flatten(0, 1).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        found = (vectors / (values.clamp_min(0) + 5e-4).sqrt()).T
        self.whiten.weight.copy_(torch.cat([found, -found]).view_as(self.whiten.weight))
        assert self.whiten.bias is not None
        self.whiten.bias.zero_()

    def features(self, images: Tensor, mirrored: bool = False) -> Tensor:
        """`[N, dim]` features of images in [-1, 1]; if `mirrored`, means over each image and its mirror image."""
        if mirrored:
            return (self.features(images) + self.features(images.flip(3))) / 2
        with torch.autocast(images.device.type, enabled=False):  # it multiplies small differences by great numbers
            whitened = self.whiten((images - self.mean) / self.deviation)
        found: Tensor = self.body(whitened)
        return found

    def logits(self, features: Tensor) -> Tensor:
        """`[N, class_count]` class logits."""
        found: Tensor = self.head(features) * SCALE
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(self.features(images))


def _block(before: int, after: int) -> nn.Sequential:
    first = nn.Conv2d(before, after, 3, padding=1, bias=False)
    second = nn.Conv2d(after, after, 3, padding=1, bias=False)
    for convolution in (first, second):  # what comes in goes out, at first, as far as there are channels for it
        if after >= convolution.in_channels:
            nn.init.dirac_(convolution.weight[: convolution.in_channels].data)
    return nn.Sequential(first, nn.MaxPool2d(2), _norm(after), nn.GELU(), second, _norm(after), nn.GELU())


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm
