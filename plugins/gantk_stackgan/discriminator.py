"""StackGAN's discriminator of images of one size."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from gantk import Discriminator, Verdict, require
from gantk.nn import DownStack, Head, Norm, halve_until, init_weights, normalization, provided
from gantk.parts import ImageShape
from gantk_stackgan.blocks import spread_over

__all__ = ["StackGANDiscriminator"]

LARGEST_LAST = 4
"""Images are halved until their shorter side is at most this."""
MOST_GROWN = 3
"""Doublings of the width that the head has at most."""


class Trunk(nn.Module):
    """Strided convolutions to a map of about 4×4, then convolutions down to 8 · width channels; returns every map."""

    def __init__(self, image_shape: ImageShape, width: int, norm: Norm) -> None:
        super().__init__()
        channels, *size = image_shape
        small = min(size) <= LARGEST_LAST
        halvings = 1 if small else len(halve_until((size[0], size[1]), LARGEST_LAST)) - 1
        widths = [width * 2**depth for depth in range(halvings)]
        self.down = DownStack(channels, (size[0], size[1]), widths, kernel=4, norm=norm)
        self.channels = widths[min(halvings - 1, MOST_GROWN)]
        wide = widths[MOST_GROWN:][::-1]
        self.narrow = nn.ModuleList(_block(i, o, norm) for i, o in pairwise(wide))
        self.features = self.down.features * self.channels // widths[-1]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps: list[Tensor] = [*self.down(images)]
        for block in self.narrow:
            maps.append(block(maps[-1]))
        return tuple(maps)


def _block(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=norm == "none")
    return nn.Sequential(convolution, normalization(norm, outputs), nn.LeakyReLU(0.2))


class Unconditional(Discriminator):
    """The verdict on images without their condition, from the same maps.

    The maps' network is not a child, so that its weights are saved once.
    """

    reads_condition = True  # and leaves it unread: as channels, it would be there to see

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self._trunk = (trunk,)
        self.logit = Head(trunk.features, 1)

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        maps = self._trunk[0](images)
        return Verdict(logits=self.logit(maps[-1]).squeeze(1))


class StackGANDiscriminator(Discriminator):
    """StackGAN's discriminator of images of one size: its last map is joined with the condition.

    Strided convolutions with LeakyReLU(0.2) reduce the image to about 4×4; the first is not normalized. The condition
    passes a fully connected layer, is repeated over that map, and a convolution reads both before the logit. Without a
    condition, the logit is a linear function of the map. The hidden maps are the outputs of each LeakyReLU before the
    condition is joined.

    Args:
        width: channels of the first layer, at least 1; they double with each halving, and are reduced to 8 · width in
            the end.
        condition_width: length of the condition after its fully connected layer, at least 1.
        unconditional: whether to have a second logit that judges images without their condition, as StackGAN-v2 does.
        norm: normalization of every layer except the first; gradient penalties need one other than batch.
        code: whether to also predict a code of the noise's dimension for each image.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Zhang et al. 2017, arXiv:1612.03242, section 3.3"
    offers: Mapping[str, Mapping[str, Any]] = {"per-sample": {"norm": "layer"}, "code": {"code": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        *,
        width: int = 64,
        condition_width: int = 128,
        unconditional: bool = False,
        norm: Norm = "batch",
        code: bool = False,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(condition_width >= 1, f"condition_width must be at least 1, not {condition_width}.")
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        self.reads_condition = condition_dim > 0
        self.provides = provided(norm=norm, code=code)
        self.trunk = Trunk(image_shape, width, norm)
        wide = self.trunk.channels
        self.compress = _compressor(condition_dim, condition_width) if condition_dim else None
        self.join = _block(wide + condition_width, wide, norm) if condition_dim else None
        self.logit = Head(self.trunk.features, 1)
        self.code = Head(self.trunk.features, noise_dim) if code else None
        self.unconditional = Unconditional(self.trunk) if unconditional and condition_dim else None
        init_weights(self, init_std)

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        hidden: tuple[Tensor, ...] = self.trunk(images)
        code = None if self.code is None else self.code(hidden[-1])
        joined = self._joined(hidden[-1], *conditions)
        return Verdict(logits=self.logit(joined).squeeze(1), hidden=hidden, code=code)

    def _joined(self, maps: Tensor, *conditions: Tensor) -> Tensor:
        if self.compress is None or self.join is None:
            return maps
        compressed = cast(Tensor, self.compress(conditions[0].to(maps.dtype)))
        return cast(Tensor, self.join(torch.cat([maps, spread_over(compressed, maps)], dim=1)))


def _compressor(condition_dim: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(condition_dim, width), nn.LeakyReLU(0.2))
