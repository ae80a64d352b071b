"""AEGAN's generator: from noise to an embedding, and an autoencoder whose decoder turns it into an image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gantk import Generator, require
from gantk.nn import ResidualBlock, Size, downsampler, halved, init_weights, output_activation, upsampler
from gantk.parts import ImageShape

__all__ = ["AEGANGenerator"]

KERNEL = 4
SLOPE = 0.2
LARGEST_BASE = 4
"""The embedding generator starts at the embedding's size, halved until its shorter side is at most this."""

LARGEST_GROWTH = 8
"""Its channels double towards that base, up to this many times `width`."""

USUAL_EMBEDDING = 32
LEAST_HALVINGS = 2


class AEGANGenerator(Generator):
    """AEGAN's generator: noise → embedding → image, with an encoder that maps images to embeddings.

    Encoder and decoder have `width` channels throughout and, for each halving from the image to the embedding (four
    for 512 → … → 32), a strided (transposed) 4x4 convolution and a residual block, except after the layers that output
    the embedding and the image. The generator of embeddings starts at 4 pixels and has the same blocks; its channels
    halve from block to block. Upsampling layers use ReLU, downsampling layers LeakyReLU(0.2). The generated embedding
    and the image end in tanh, the encoder in LeakyReLU.

    Args:
        width: channels of an embedding, and of the encoder and decoder, at least 1.
        embedding: side of an embedding in pixels: the image is halved at least once, until its shorter side is at most
            this; 0 means 32 and at least two halvings.
        residual: whether to use residual blocks, as in the paper; the authors' published networks have none.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Guo et al. 2019, arXiv:1903.11250, Section III.E"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 64,
        embedding: int = 0,
        residual: bool = True,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(embedding >= 0, f"embedding must be 0 or more pixels, not {embedding}.")
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        self.image_shape = image_shape
        self.noise_dim = noise_dim
        sizes = _image_sizes(image_shape[1:], embedding)
        self.embedding_shape: ImageShape = (width, *sizes[-1])
        self.embedding = _embedding_generator(noise_dim, width, sizes[-1], residual)
        self.decoder = _decoder(image_shape[0], width, sizes[::-1], residual)
        self.encoder = _encoder(image_shape[0], width, sizes, residual)
        init_weights(self, init_std)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.decoder(self.embedding(noise))
        return images


def _image_sizes(size: Size, embedding: int) -> list[Size]:
    """Sizes from the image's down to the embedding's."""
    at_most, times = embedding or USUAL_EMBEDDING, 1 if embedding else LEAST_HALVINGS
    sizes = halved(size, times)
    while min(sizes[-1]) > at_most:
        sizes = halved(size, len(sizes))
    return sizes


def _embedding_generator(noise_dim: int, width: int, size: Size, residual: bool) -> nn.Sequential:
    sizes = [size]
    while min(sizes[-1]) > LARGEST_BASE:
        sizes = halved(size, len(sizes))
    sizes = [(1, 1), *sizes[::-1]]
    widths = [width * min(2**depth, LARGEST_GROWTH) for depth in range(len(sizes) - 1)][::-1]
    layers: list[nn.Module] = [nn.Unflatten(1, (noise_dim, 1, 1))]
    channels = noise_dim
    for depth, (source, target, wide) in enumerate(zip(sizes[:-1], sizes[1:], widths, strict=True)):
        kernel = KERNEL if depth else target
        last = depth == len(widths) - 1
        layers.append(upsampler(channels, wide, source, target, kernel, bias=last))
        layers += [nn.Tanh()] if last else _rise(wide, residual)
        channels = wide
    return nn.Sequential(*layers)


def _decoder(image_channels: int, width: int, sizes: Sequence[Size], residual: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for source, target in pairwise(sizes[:-1]):
        layers += [upsampler(width, width, source, target, KERNEL, bias=False), *_rise(width, residual)]
    return nn.Sequential(
        *layers, upsampler(width, image_channels, sizes[-2], sizes[-1], KERNEL), output_activation("tanh")
    )


def _rise(width: int, residual: bool) -> list[nn.Module]:
    """The layers that follow a transposed convolution."""
    return [nn.BatchNorm2d(width), nn.ReLU(inplace=True), *([ResidualBlock(width)] if residual else [])]


def _encoder(image_channels: int, width: int, sizes: Sequence[Size], residual: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    last = len(sizes) - 2
    for depth, source in enumerate(sizes[:-1]):
        # Neither the first layer nor the one that outputs the embedding is normalized.
        normalized = 0 < depth < last
        layers.append(downsampler(width if depth else image_channels, width, source, KERNEL, bias=not normalized))
        layers += [nn.BatchNorm2d(width)] if normalized else []
        layers.append(nn.LeakyReLU(SLOPE, inplace=True))
        layers += [ResidualBlock(width, slope=SLOPE)] if residual and depth < last else []
    return nn.Sequential(*layers)
