"""LAPGAN's generator: a small image, and for each further level what its upsampled image lacks."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from gantk import Generator, require
from gantk.errors import FitError
from gantk.nn import Size, halved
from gantk.parts import ImageShape
from gantk_lapgan.pyramid import split_evenly, upsampled

__all__ = ["LAPGANGenerator"]


class Coarsest(nn.Module):
    """From noise, and the condition, to the smallest images: two hidden layers."""

    def __init__(self, piece: tuple[int, int], condition_dim: int, hidden: int, shape: ImageShape) -> None:
        super().__init__()
        self.piece, self.condition_dim = piece, condition_dim
        pixels = shape[0] * shape[1] * shape[2]
        self.layers = nn.Sequential(
            nn.Linear(piece[1] - piece[0] + condition_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, pixels),
            nn.Unflatten(1, shape),
        )

    def forward(self, noise: Tensor) -> Tensor:
        """The smallest images for all of the noise, of which it reads its own piece and the condition."""
        own = noise[:, slice(*self.piece)]
        condition = noise[:, noise.shape[1] - self.condition_dim :]
        return cast(Tensor, self.layers(torch.cat([own, condition], dim=1)))


class Level(nn.Module):
    """From upsampled images, noise and the condition to a residual: three convolutions that keep the size.

    The noise and the condition are each mapped to a plane beside the images' channels.
    """

    def __init__(self, piece: tuple[int, int], condition_dim: int, width: int, channels: int, size: Size) -> None:
        super().__init__()
        self.piece, self.condition_dim, self.size = piece, condition_dim, size
        pixels = size[0] * size[1]
        self.noise_plane = nn.Linear(piece[1] - piece[0], pixels)
        self.condition_plane = nn.Sequential(nn.Linear(condition_dim, pixels), nn.ReLU()) if condition_dim else None
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1 + (condition_dim > 0), width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, channels, 5, padding=2),
        )

    def forward(self, noise: Tensor, low: Tensor) -> Tensor:
        """The residual of upsampled images `low` for all of the noise."""
        planes = [self.noise_plane(noise[:, slice(*self.piece)])]
        if self.condition_plane is not None:
            planes.append(self.condition_plane(noise[:, noise.shape[1] - self.condition_dim :]))
        shown = [low, *(plane.view(len(plane), 1, *self.size).to(low.dtype) for plane in planes)]
        return cast(Tensor, self.layers(torch.cat(shown, dim=1)))


class LAPGANGenerator(Generator):
    """LAPGAN's generator: a small image from noise, then for each level the residual of the upsampled image.

    The noise is divided evenly among the levels. Images are clipped to [-1, 1] after each level, since the networks'
    last layers are linear.

    Args:
        levels: number of sizes, each half the next, at least 2; the paper has 3 (8, 16, 32).
        hidden: units of each hidden layer of the smallest level, at least 1.
        width: channels of the convolutions of the other levels, at least 1.
    """

    paper = "Denton et al. 2015, arXiv:1506.05751, section 3"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        *,
        levels: int = 3,
        hidden: int = 1200,
        width: int = 64,
    ) -> None:
        super().__init__()
        require(levels >= 2, f"levels must be at least 2, not {levels}.")
        require(hidden >= 1, f"hidden must be at least 1, not {hidden}.")
        require(width >= 1, f"width must be at least 1, not {width}.")
        if noise_dim - condition_dim < levels:
            raise FitError(
                f"each of {levels} levels reads noise of its own, and there are {noise_dim - condition_dim} numbers",
                f"use --noise uniform:dim={100 * levels}",
                "use longer noise",
            )
        self.image_shape = image_shape
        channels, *size = image_shape
        self.sizes = halved((size[0], size[1]), levels - 1)[::-1]
        first, *others = split_evenly(noise_dim - condition_dim, levels)
        self.coarsest = Coarsest(first, condition_dim, hidden, (channels, *self.sizes[0]))
        self.finer = nn.ModuleList(
            Level(piece, condition_dim, width, channels, each)
            for piece, each in zip(others, self.sizes[1:], strict=True)
        )

    def forward(self, noise: Tensor) -> Tensor:
        images = self.coarsest(noise).clamp(-1, 1)
        for level, size in zip(self.finer, self.sizes[1:], strict=True):
            low = upsampled(images, size)
            images = (low + level(noise, low)).clamp(-1, 1)
        return cast(Tensor, images)
