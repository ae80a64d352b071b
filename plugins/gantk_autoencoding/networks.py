"""The generator of BEGAN, and discriminators that are autoencoders, for any image size."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import interpolate

from gantk import Discriminator, Generator, Verdict, require
from gantk.nn import (
    DownStack,
    Norm,
    Size,
    downsampler,
    halve_until,
    init_weights,
    output_activation,
    provided,
    up_stack,
    upsampler,
)
from gantk.parts import ImageShape

__all__ = ["AutoencodingDiscriminator", "BEGANGenerator", "EBGANDiscriminator"]

LARGEST_BASE = 8
"""The image is halved until its shorter side is at most this."""


class BEGANGenerator(Generator):
    """The generator of BEGAN: 3x3 convolutions with ELU, two at each size, and upsampling to the nearest pixel.

    Initial weights are Glorot's: with PyTorch's, which are smaller, signals vanish in so many layers.

    Args:
        width: channels of every layer, at least 1; the paper has 64 and 128.
    """

    paper = "Berthelot, Schumm & Metz 2017, arXiv:1703.10717, Figure 1"

    def __init__(self, image_shape: ImageShape, noise_dim: int, *, width: int = 64) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        self.image_shape = image_shape
        sizes = halve_until(image_shape[1:], LARGEST_BASE)[::-1]
        self.decoder = nn.Sequential(_decoder(noise_dim, sizes, width, image_shape[0]), output_activation("tanh"))
        _init(self)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.decoder(noise)
        return images


class _Energy(Discriminator):
    """An autoencoder that judges an image by how badly it reconstructs it; the logit is minus that error."""

    @abstractmethod
    def autoencoded(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The reconstructions of images, and the encoder's activation maps."""

    @abstractmethod
    def error(self, differences: Tensor) -> Tensor:
        """The error `[N]` of differences `[N, pixels]`, 0 or more."""

    def forward(self, images: Tensor) -> Verdict:
        decoded, hidden = self.autoencoded(images)
        return Verdict(logits=-self.error((images - decoded).flatten(1)), hidden=hidden)


class AutoencodingDiscriminator(_Energy):
    """BEGAN's discriminator, an autoencoder: the logit is minus the mean of |x - D(x)|^η over pixels.

    The encoder has two 3x3 convolutions with ELU at each size and a third of stride 2 to the next, with a multiple of
    `width` channels that grows by 1 from size to size. The decoder is BEGAN's generator. The hidden maps are the
    encoder's at each size, and the embedding. Initial weights are Glorot's.

    Args:
        width: channels of the first layer and of every layer of the decoder, at least 1; the paper has 64 and 128.
        embedding: length of the embedding, at least 1.
        exponent: η of the error.
    """

    paper = "Berthelot, Schumm & Metz 2017, arXiv:1703.10717, Figure 1"
    provides = frozenset({"logits", "hidden", "per-sample", "energy"})

    def __init__(
        self, image_shape: ImageShape, *, width: int = 64, embedding: int = 64, exponent: Literal[1, 2] = 1
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(embedding >= 1, f"embedding must be at least 1, not {embedding}.")
        sizes = halve_until(image_shape[1:], LARGEST_BASE)
        self.exponent = exponent
        self.first = nn.Sequential(nn.Conv2d(image_shape[0], width, 3, padding=1), nn.ELU())
        self.blocks, self.down = nn.ModuleList(), nn.ModuleList()
        before = width
        for depth, size in enumerate(sizes):
            wide = width * (depth + 1)
            self.blocks.append(_convolutions(before, wide))
            if depth < len(sizes) - 1:
                self.down.append(nn.Sequential(downsampler(wide, wide, size, 3), nn.ELU()))
            before = wide
        height, breadth = sizes[-1]
        self.embed = nn.Sequential(nn.Flatten(), nn.Linear(before * height * breadth, embedding))
        self.decoder = _decoder(embedding, sizes[::-1], width, image_shape[0])
        _init(self)

    def autoencoded(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        maps = [self.blocks[0](self.first(images))]
        for down, block in zip(self.down, list(self.blocks)[1:], strict=True):
            maps.append(block(down(maps[-1])))
        embedding = self.embed(maps[-1])
        return self.decoder(embedding), (*maps, embedding)

    def error(self, differences: Tensor) -> Tensor:
        return differences.abs().pow(self.exponent).mean(dim=1)


class EBGANDiscriminator(_Energy):
    """EBGAN's discriminator, an autoencoder: the logit is minus ‖x - D(x)‖, the Euclidean length over all pixels.

    Strided 4x4 convolutions with LeakyReLU(0.2), then transposed ones with ReLU back to the image. The hidden maps are
    the encoder's; the last one is the embedding.

    Args:
        width: channels of the first layer, at least 1; they double with each halving, up to 8 · width.
        norm: normalization of every layer except the first and the last; gradient penalties need one other than batch.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Zhao, Mathieu & LeCun 2017, arXiv:1609.03126, appendix"
    offers: Mapping[str, Mapping[str, Any]] = {"per-sample": {"norm": "layer"}}

    def __init__(
        self, image_shape: ImageShape, *, width: int = 64, norm: Norm = "batch", init_std: float = 0.02
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        self.provides = provided(norm=norm, code=False) | {"energy"}
        sizes = halve_until(image_shape[1:], LARGEST_BASE)
        widths = [width * min(2**depth, 8) for depth in range(len(sizes) - 1)]
        self.down = DownStack(image_shape[0], image_shape[1:], widths, kernel=4, norm=norm)
        self.up = up_stack(widths[-1], sizes[:0:-1], widths[-2::-1], kernel=4, norm=norm)
        self.image = upsampler(widths[0], image_shape[0], sizes[1], sizes[0], 4)
        init_weights(self, init_std)

    def autoencoded(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        maps = self.down(images)
        return self.image(self.up(maps[-1])), maps

    def error(self, differences: Tensor) -> Tensor:
        length: Tensor = vector_norm(differences, dim=1)
        return length


class _Upsampling(nn.Module):
    """Each pixel repeated, to an exact size."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return interpolate(x, size=self.size)


def _init(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def _convolutions(before: int, width: int) -> nn.Sequential:
    first, second = nn.Conv2d(before, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
    return nn.Sequential(first, nn.ELU(), second, nn.ELU())


def _decoder(inputs: int, sizes: Sequence[Size], width: int, channels: int) -> nn.Sequential:
    """From a vector to a map of the first size, and to images of the last, without an activation at the end."""
    height, breadth = sizes[0]
    layers: list[nn.Module] = [nn.Linear(inputs, width * height * breadth), nn.Unflatten(1, (width, height, breadth))]
    for number, size in enumerate(sizes):
        layers += [_Upsampling(size)] if number else []
        layers.append(_convolutions(width, width))
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))
