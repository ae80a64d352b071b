"""The variational autoencoder: a decoder, which is the generator, and an encoder, which predicts posteriors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Generator, Posterior, require
from gantk.errors import FitError
from gantk.nn import (
    OnSphere,
    Output,
    Size,
    downsampler,
    gaussian,
    halve_until,
    halved,
    output_activation,
    point,
    up_stack,
    upsampler,
)
from gantk.parts import ImageShape

__all__ = ["VAE"]

KERNEL = 5
LARGEST_BASE = 4
"""The decoder starts at the image size, halved and rounded down until its shorter side is at most this."""

ENCODER_HALVINGS = 3
LARGEST_CODE_MAP = 8
"""The encoder halves three times, and further until the shorter side is at most this."""


class VAE(Generator):
    """The variational autoencoder of DE-GAN's Tables II, III and IV, generalized to any image size.

    Decoder: noise → a map of at most 4 pixels on the shorter side, by one transposed convolution → stride-2
    transposed convolutions of 5x5 up to the image. Encoder: three 5x5 convolutions of stride 2 (more for images above
    64 pixels), dropout, and a linear layer to mean and log-variance. Batch normalization and ReLU follow every
    convolution except the decoder's last, as in the paper's text; its tables list neither for the VAE.

    Args:
        width: channels of the encoder's first layer, at least 2; the paper's 32 gives decoder channels 128, 64, 32, 16.
        dropout: dropout probability before the encoder's last layer, in [0, 1).
        sphere: whether to project codes and the decoder's input noise onto the unit sphere, as losses need that
            bound codes; they are then no draws: their log-variance is a constant -30.
        output: activation that bounds the images to [-1, 1]; the paper uses sigmoid on MNIST and tanh on color images.
    """

    paper = "Kingma & Welling 2014, arXiv:1312.6114; layers of Zhong et al. 2018, arXiv:1807.03923, Tables II-IV"
    provides = frozenset({"posterior"})
    offers: Mapping[str, Mapping[str, Any]] = {"sphere": {"sphere": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 32,
        dropout: float = 0.1,
        sphere: bool = False,
        output: Output = "tanh",
    ) -> None:
        super().__init__()
        require(width >= 2, f"width must be at least 2, not {width}.")
        require(0 <= dropout < 1, f"dropout must be 0 … 1 exclusive, not {dropout}.")
        self.image_shape = image_shape
        self.noise_dim = noise_dim
        self.decoder = _decoder(image_shape, noise_dim, width, output)
        self.encoder = _encoder(image_shape, noise_dim if sphere else 2 * noise_dim, width, dropout)
        self.on_sphere = sphere
        if sphere:
            if noise_dim < 2:
                raise FitError("a sphere needs at least two dimensions, but this noise has one: use sphere=false.")
            self.provides = frozenset({"posterior", "sphere"})
            self.decoder.insert(0, OnSphere())
            self.encoder.append(OnSphere())

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.decoder(noise)
        return images

    def encode(self, images: Tensor) -> Posterior:
        outputs: Tensor = self.encoder(images)
        return point(outputs) if self.on_sphere else gaussian(outputs)


def _decoder(image_shape: ImageShape, noise_dim: int, width: int, output: Output) -> nn.Sequential:
    sizes = halve_until(image_shape[1:], LARGEST_BASE, rounding="down")[::-1]
    widths = [max(4 * width // 2**depth, width // 2) for depth in range(len(sizes) - 1)]
    return nn.Sequential(
        nn.Unflatten(1, (noise_dim, 1, 1)),
        upsampler(noise_dim, widths[0], (1, 1), sizes[0], kernel=sizes[0], bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
        *up_stack(widths[0], sizes[:-1], widths[1:], kernel=KERNEL),
        upsampler(widths[-1], image_shape[0], sizes[-2], sizes[-1], KERNEL),
        output_activation(output),
    )


def _encoder(image_shape: ImageShape, outputs: int, width: int, dropout: float) -> nn.Sequential:
    sizes = _encoder_sizes(image_shape[1:])
    layers: list[nn.Module] = []
    channels = image_shape[0]
    for depth, source in enumerate(sizes[:-1]):
        wide = width * min(2**depth, 4)
        layers += [downsampler(channels, wide, source, KERNEL, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
        channels = wide
    features = channels * sizes[-1][0] * sizes[-1][1]
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Flatten(), nn.Linear(features, outputs))


def _encoder_sizes(size: Size) -> list[Size]:
    sizes = halved(size, ENCODER_HALVINGS)
    return sizes if min(sizes[-1]) <= LARGEST_CODE_MAP else halve_until(size, LARGEST_CODE_MAP)
