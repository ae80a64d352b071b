"""Progressive GAN's generator."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from gantk import Generator
from gantk.nn import Size
from gantk.parts import ImageShape
from gantk_progressive.growth import Growth, channels, check_widths, resolutions
from gantk_progressive.layers import EqualConv, Projection, activation, pixel_norm, twice

__all__ = ["GrowingImages", "ProGANGenerator"]


class _Convolution(nn.Module):
    """A 3×3 convolution, LeakyReLU, pixel norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = EqualConv(inputs, outputs, 3)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        return pixel_norm(cast(Tensor, self.activation(self.conv(x))))


class _Base(nn.Module):
    """From a latent vector, normalized to length √dim, to the smallest map."""

    def __init__(self, noise_dim: int, width: int, size: Size) -> None:
        super().__init__()
        self.project = Projection(noise_dim, width, size)
        self.activation = activation()
        self.conv = _Convolution(width, width)

    def forward(self, noise: Tensor) -> Tensor:
        x = pixel_norm(cast(Tensor, self.activation(self.project(pixel_norm(noise)))))
        return cast(Tensor, self.conv(x))


class _Doubling(nn.Module):
    """Nearest-neighbor upsampling by 2, then two convolutions."""

    def __init__(self, inputs: int, outputs: int, size: Size) -> None:
        super().__init__()
        self.size = size
        self.convs = nn.Sequential(_Convolution(inputs, outputs), _Convolution(outputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.convs(twice(x, self.size)))


class GrowingImages(nn.Module):
    """From noise `[N, dim]` to images of the current resolution, unbounded because the paper's last layer is linear.

    Args:
        noise_dim: dimension of the noise.
        colors: channels of the images.
        sizes: (height, width) of each resolution, smallest first.
        widths: channels of the maps of each.
    """

    def __init__(self, noise_dim: int, colors: int, sizes: list[Size], widths: list[int]) -> None:
        super().__init__()
        self.growth = Growth(sizes)
        self.base = _Base(noise_dim, widths[0], sizes[0])
        self.doublings = nn.ModuleList(
            _Doubling(i, o, size) for i, o, size in zip(widths[:-1], widths[1:], sizes[1:], strict=True)
        )
        self.to_image = nn.ModuleList(EqualConv(width, colors, 1, gain=1.0) for width in widths)

    def forward(self, noise: Tensor) -> Tensor:
        return self.drawn(noise, self.growth.depth, self.growth.alpha_buffer if self.growth.fades else 1.0)

    def drawn(self, noise: Tensor, depth: int, alpha: float | Tensor = 1.0) -> Tensor:
        """Images `[N, C, *sizes[depth]]` of any resolution: `alpha` · its own layers + (1 - `alpha`) · those below.

        A tensor `alpha` is below 1; it is read on its device.
        """
        below, x = None, cast(Tensor, self.base(noise))
        for doubling in self.doublings[:depth]:
            below, x = x, doubling(x)
        images = cast(Tensor, self.to_image[depth](x))
        if below is None or (not isinstance(alpha, Tensor) and alpha >= 1):
            return images
        coarse = twice(self.to_image[depth - 1](below), self.growth.sizes[depth])
        return torch.lerp(coarse, images, alpha.to(images.dtype) if isinstance(alpha, Tensor) else alpha)


class ProGANGenerator(Generator):
    """Progressive GAN's generator, which can grow from a small map to the image size, doubling by doubling.

    It computes images at its current resolution, by default the full one, and always returns images of the full size.
    The paper's last layer is linear; the returned pixels are clipped to [-1, 1], as the authors do when they save
    images, while the recipe `growing` trains on unclipped images.

    Args:
        fmap_base: channels at depth d are fmap_base / 2^(d + 1) (d = 0 is the smallest map), at least 1.
        fmap_max: maximum number of channels of a map, at least 1.
    """

    paper = "Karras et al. 2018, arXiv:1710.10196, Table 2 and section 4"

    def __init__(self, image_shape: ImageShape, noise_dim: int, *, fmap_base: int = 8192, fmap_max: int = 512) -> None:
        super().__init__()
        check_widths(fmap_base, fmap_max)
        self.image_shape = image_shape
        sizes = resolutions(image_shape[1:])
        widths = [channels(depth, fmap_base, fmap_max) for depth in range(len(sizes))]
        self.images = GrowingImages(noise_dim, image_shape[0], sizes, widths)

    @property
    def growth(self) -> Growth:
        """How far it has grown."""
        return self.images.growth

    def forward(self, noise: Tensor) -> Tensor:
        return self.finished(self.images(noise))

    def finished(self, images: Tensor) -> Tensor:
        """The outputs of `images`, at any resolution, as images of the full size in [-1, 1]."""
        return self.growth.enlarged(images).clamp(-1, 1)
