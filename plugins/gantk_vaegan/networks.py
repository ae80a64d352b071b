"""The networks of VAE/GAN, for any image size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Discriminator, Generator, Posterior, Verdict, require
from gantk.nn import (
    Head,
    Norm,
    downsampler,
    gaussian,
    halve_until,
    normalization,
    output_activation,
    provided,
    read_off,
    up_stack,
)
from gantk.parts import ImageShape

__all__ = ["VAEGANDiscriminator", "VAEGANGenerator"]

KERNEL = 5
LARGEST_BASE = 8
"""The image is halved until its shorter side is at most this: 64 → 32 → 16 → 8, 28 → 14 → 7."""


def _check(width: int) -> None:
    require(width >= 2, f"width must be at least 2, not {width}.")


class VAEGANGenerator(Generator):
    """The encoder and decoder of VAE/GAN: 5x5 convolutions of stride 2, batch normalization and ReLU; tanh at the end.

    Args:
        width: channels of the encoder's first layer, at least 2. The paper's 64 gives 64, 128, 256 channels and a layer
            of 2048 units in the encoder, and 256, 256, 128, 32 channels in the decoder.
    """

    paper = "Larsen et al. 2016, arXiv:1512.09300, Table 3"
    provides = frozenset({"posterior"})

    def __init__(self, image_shape: ImageShape, noise_dim: int, *, width: int = 64) -> None:
        super().__init__()
        _check(width)
        self.image_shape = image_shape
        sizes = halve_until(image_shape[1:], LARGEST_BASE)
        channels, layers = image_shape[0], list[nn.Module]()
        for depth, source in enumerate(sizes[:-1]):
            wide = width * min(2**depth, 4)
            layers += [downsampler(channels, wide, source, KERNEL, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
            channels = wide
        height, breadth = sizes[-1]
        units = 32 * width
        self.encoder = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(channels * height * breadth, units, bias=False),
            nn.BatchNorm1d(units),
            nn.ReLU(),
            nn.Linear(units, 2 * noise_dim),
        )
        up = sizes[::-1]
        widths = [4 * width] * len(sizes) + [2 * width, width // 2]
        widths = widths[-(len(up) - 1) :]
        self.decoder = nn.Sequential(
            nn.Linear(noise_dim, 4 * width * height * breadth, bias=False),
            nn.Unflatten(1, (4 * width, height, breadth)),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            *up_stack(4 * width, up, widths, kernel=KERNEL),
            nn.Conv2d(widths[-1], image_shape[0], KERNEL, padding=KERNEL // 2),
            output_activation("tanh"),
        )

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.decoder(noise)
        return images

    def encode(self, images: Tensor) -> Posterior:
        return gaussian(self.encoder(images))


class VAEGANDiscriminator(Discriminator):
    """The discriminator of VAE/GAN: a 5x5 convolution, then strided ones with ReLU, and a hidden layer of units.

    The hidden maps are those of the convolutions; the last of them is the paper's Dis_l.

    Args:
        width: half of the channels of the first strided layer, at least 2; the paper's 64 gives 32, 128, 256, 256
            channels and 512 units.
        norm: normalization of every layer except the first; gradient penalties need one other than batch.
        code: whether to also predict a code of the noise's dimension for each image.
    """

    paper = "Larsen et al. 2016, arXiv:1512.09300, Table 3"
    offers: Mapping[str, Mapping[str, Any]] = {"per-sample": {"norm": "layer"}, "code": {"code": True}}

    def __init__(
        self, image_shape: ImageShape, noise_dim: int, *, width: int = 64, norm: Norm = "batch", code: bool = False
    ) -> None:
        super().__init__()
        _check(width)
        self.provides = provided(norm=norm, code=code)
        sizes = halve_until(image_shape[1:], LARGEST_BASE)
        channels = width // 2
        first = nn.Conv2d(image_shape[0], channels, KERNEL, padding=KERNEL // 2)
        self.blocks = nn.ModuleList([nn.Sequential(first, nn.ReLU())])
        for depth, source in enumerate(sizes[:-1]):
            wide = width * min(2 ** (depth + 1), 4)
            down = downsampler(channels, wide, source, KERNEL, bias=norm == "none")
            self.blocks.append(nn.Sequential(down, normalization(norm, wide), nn.ReLU()))
            channels = wide
        features, units = channels * sizes[-1][0] * sizes[-1][1], 8 * width
        self.units = nn.Sequential(
            nn.Flatten(),
            nn.Linear(features, units, bias=norm == "none"),
            normalization(norm, units, vectors=True),
            nn.ReLU(),
        )
        self.logit = Head(units, 1)
        self.code = Head(units, noise_dim) if code else None

    def forward(self, images: Tensor) -> Verdict:
        maps = [images]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return read_off(self.units(maps[-1]), tuple(maps[1:]), logit=self.logit, code=self.code)
