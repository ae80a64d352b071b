"""Stacks of convolutions for discriminators and generators, planned from the image size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from torch import Tensor, nn

from gantk.errors import FitError
from gantk.nn.layers import Norm, downsampler, normalization, upsampler
from gantk.nn.sizes import Size, halved

__all__ = ["DownStack", "up_stack"]


class DownStack(nn.Module):
    """Strided convolutions, all except the first normalized, with LeakyReLU(0.2); returns every activation map.

    Args:
        channels: channels of the images.
        size: their height and width.
        widths: channels of each layer; every layer halves the size, rounding up.
        kernel: kernel size.
        norm: normalization after every layer except the first (Radford et al. 2016: none on the input layer).
        norm_first: whether to normalize after the first layer too.
        affine: whether normalizations learn a scale and a shift.
    """

    features: int
    """Number of elements of the last map of one image."""

    def __init__(
        self,
        channels: int,
        size: Size,
        widths: Sequence[int],
        *,
        kernel: int = 5,
        norm: Norm = "batch",
        norm_first: bool = False,
        affine: bool = True,
    ) -> None:
        super().__init__()
        sizes = halved(size, len(widths))
        if norm == "instance" and (1, 1) in sizes[1 if norm_first else 2 :]:
            raise FitError(
                f"instance normalization needs more than one pixel per map, but {len(widths)} halvings of "
                f"{size[0]}x{size[1]} leave one; use norm=layer."
            )
        self.blocks = nn.ModuleList()
        for depth, (source, width) in enumerate(zip(sizes, widths, strict=False)):
            own = norm if depth or norm_first else "none"
            self.blocks.append(_down_block(channels, width, source, kernel, own, affine))
            channels = width
        self.features = channels * sizes[-1][0] * sizes[-1][1]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._maps(images))

    def _maps(self, x: Tensor) -> Iterator[Tensor]:
        for block in self.blocks:
            x = cast(Tensor, block(x))
            yield x


def _down_block(channels: int, width: int, source: Size, kernel: int, norm: Norm, affine: bool) -> nn.Sequential:
    convolution = downsampler(channels, width, source, kernel, bias=norm == "none")
    return nn.Sequential(convolution, normalization(norm, width, affine=affine), nn.LeakyReLU(0.2))


def up_stack(
    channels: int,
    sizes: Sequence[Size],
    widths: Sequence[int],
    *,
    kernel: int = 5,
    norm: Norm = "batch",
    affine: bool = True,
) -> nn.Sequential:
    """Transposed convolutions, each normalized, with ReLU: one for each of `sizes[1:]`, with `widths` channels.

    Without `affine`, normalizations have no scale and shift.
    """
    layers: list[nn.Module] = []
    for source, target, width in zip(sizes[:-1], sizes[1:], widths, strict=True):
        layers += [
            upsampler(channels, width, source, target, kernel, bias=norm == "none"),
            normalization(norm, width, affine=affine),
            nn.ReLU(),
        ]
        channels = width
    return nn.Sequential(*layers)
