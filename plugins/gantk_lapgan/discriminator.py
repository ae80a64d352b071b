"""LAPGAN's discriminator of images of one size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantk import Discriminator, Verdict, require
from gantk.parts import ImageShape

__all__ = ["LAPGANDiscriminator"]

LARGEST_DENSE = 8
"""Up to this longer side, images are judged by fully connected layers."""
KERNEL = 5
DROPOUT = 0.5


class LAPGANDiscriminator(Discriminator):
    """LAPGAN's discriminator of images of one size: two 5×5 convolutions, or two hidden layers for images up to 8×8.

    Dropout of 0.5 precedes the logit, and follows each hidden layer. The condition is mapped to a plane beside the
    image's channels, or joined with the pixels. The hidden maps are the outputs of each ReLU.

    Args:
        width: channels of the convolutions, at least 1.
        hidden: units of each hidden layer where there are no convolutions, at least 1.
    """

    paper = "Denton et al. 2015, arXiv:1506.05751, section 3.2"
    provides = frozenset({"logits", "hidden", "per-sample"})

    def __init__(self, image_shape: ImageShape, condition_dim: int, *, width: int = 64, hidden: int = 600) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(hidden >= 1, f"hidden must be at least 1, not {hidden}.")
        self.reads_condition = condition_dim > 0
        dense = max(image_shape[1:]) <= LARGEST_DENSE
        self.network = (
            Dense(image_shape, condition_dim, hidden) if dense else Convolved(image_shape, condition_dim, width)
        )

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        logits, hidden = self.network(images, *conditions)
        return Verdict(logits=logits.squeeze(1), hidden=hidden)


class Dense(nn.Module):
    """Two hidden layers with dropout."""

    def __init__(self, image_shape: ImageShape, condition_dim: int, hidden: int) -> None:
        super().__init__()
        pixels = image_shape[0] * image_shape[1] * image_shape[2]
        self.first = nn.Sequential(nn.Linear(pixels + condition_dim, hidden), nn.ReLU())
        self.second = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(hidden, hidden), nn.ReLU())
        self.logit = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(hidden, 1))

    def forward(self, images: Tensor, *conditions: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        first = self.first(torch.cat([images.flatten(1), *(each.to(images.dtype) for each in conditions)], dim=1))
        second = self.second(first)
        return self.logit(second), (first, second)


class Convolved(nn.Module):
    """Two convolutions, the second of stride 2, and dropout."""

    def __init__(self, image_shape: ImageShape, condition_dim: int, width: int) -> None:
        super().__init__()
        channels, *size = image_shape
        self.size = size
        # Without padding, as the authors', unless nothing would be left of the image.
        padding = 0 if min(size) >= 2 * KERNEL - 1 else KERNEL // 2
        self.plane = nn.Sequential(nn.Linear(condition_dim, size[0] * size[1]), nn.ReLU()) if condition_dim else None
        self.first = nn.Sequential(nn.Conv2d(channels + (condition_dim > 0), width, KERNEL, padding=padding), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, width, KERNEL, 2, padding=padding), nn.ReLU())
        rows, columns = ((side + 4 * padding - 2 * KERNEL + 1) // 2 + 1 for side in size)
        self.logit = nn.Sequential(nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(width * rows * columns, 1))

    def forward(self, images: Tensor, *conditions: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        shown = images
        if self.plane is not None:
            plane = self.plane(conditions[0].to(images.dtype)).view(len(images), 1, *self.size)
            shown = torch.cat([images, plane], dim=1)
        first = self.first(shown)
        second = self.second(first)
        return self.logit(second), (first, second)
