"""Residual blocks and self-attention, with spectral normalization."""

from __future__ import annotations

from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from gantk.nn import Modulation, Size, normalization

__all__ = ["DownBlock", "Init", "SelfAttention", "StyledNorm", "UpBlock", "initialize", "normalized"]

Init = Literal["xavier", "orthogonal"]
"""How weights are drawn: uniform by Glorot & Bengio 2010, or orthogonal."""
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)

M = TypeVar("M", bound=nn.Module)


def initialize(module: nn.Module, init: Init) -> None:
    """Draw the weights of every convolution and linear layer, and set their biases to 0; before `normalized`."""
    draw = {"xavier": nn.init.xavier_uniform_, "orthogonal": nn.init.orthogonal_}[init]
    for layer in module.modules():
        if isinstance(layer, WEIGHTED):
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def normalized(module: M) -> M:
    """The module, with spectral normalization of the weights of every convolution and linear layer within it.

    Each weight is divided by its largest singular value, which one power iteration for each call in training follows
    (Miyato et al. 2018, arXiv:1802.05957).
    """
    for layer in module.modules():
        if isinstance(layer, WEIGHTED):
            spectral_norm(layer)
    return module


class SelfAttention(nn.Module):
    """x + γ o, o being self-attention over the pixels of x, and γ learned, 0 at first (Zhang et al. 2019, section 3).

    Queries and keys have an eighth of the channels, values a half; keys and values are pooled to half the size, as in
    the authors' code.

    Args:
        channels: channels of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        eighth, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, eighth, 1, bias=False)
        self.key = nn.Conv2d(channels, eighth, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.output = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """`[N, C, H, W]` of `[N, C, H, W]`."""
        queries, keys, values = self.query(x).flatten(2), _pooled(self.key(x)), _pooled(self.value(x))
        attention = (queries.transpose(1, 2) @ keys).softmax(dim=2)  # [N, pixels, pooled pixels]
        attended = (values @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])
        result: Tensor = x + self.gamma * self.output(attended)
        return result


def _pooled(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, ceil_mode=True).flatten(2)


class StyledNorm(nn.Module):
    """Batch normalization: with a scale and shift of its own, or computed from a style of each image if there is one.

    Args:
        channels: of the maps.
        style_dim: length of a style; 0 for none.
    """

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.plain = None if style_dim else normalization("batch", channels)
        self.modulation = Modulation(nn.BatchNorm2d(channels, affine=False), channels, style_dim) if style_dim else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`[N, channels, H, W]` for styles `[N, style_dim]`."""
        images: Tensor
        if self.modulation is not None:
            images = self.modulation(x, style)
        else:
            assert self.plain is not None
            images = self.plain(x)
        return images


class UpBlock(nn.Module):
    """A residual block of the generator, up to a given size: normalization, ReLU, convolution, twice.

    Args:
        in_channels, out_channels: of its maps.
        size: of its result; pixels are repeated.
        style_dim: length of a style, from which normalizations are modulated; 0 for none.
    """

    def __init__(self, in_channels: int, out_channels: int, size: Size, style_dim: int) -> None:
        super().__init__()
        self.size = size
        self.norms = nn.ModuleList(StyledNorm(c, style_dim) for c in (in_channels, out_channels))
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        inner, outer = self.norms
        y = self.first(self._enlarged(F.relu(inner(x, style))))
        y = self.second(F.relu(outer(y, style)))
        result: Tensor = y + self.shortcut(self._enlarged(x))
        return result

    def _enlarged(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=self.size, mode="nearest")


class DownBlock(nn.Module):
    """A residual block of the discriminator: ReLU, convolution, twice; then the mean over 2×2 pixels.

    Args:
        in_channels, out_channels: of its maps.
        first: whether it reads images, which are not rectified; its shortcut is pooled before the convolution.
        halves: whether it halves the size, rounding up.
    """

    def __init__(self, in_channels: int, out_channels: int, *, first: bool = False, halves: bool = True) -> None:
        super().__init__()
        self.reads_images, self.halves = first, halves
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        learned = halves or in_channels != out_channels
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if learned else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self._halved(self.second(F.relu(self.first(x if self.reads_images else F.relu(x)))))
        short = self.shortcut(self._halved(x)) if self.reads_images else self._halved(self.shortcut(x))
        result: Tensor = y + short
        return result

    def _halved(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) if self.halves else x
