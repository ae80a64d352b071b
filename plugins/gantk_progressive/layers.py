"""Layers of Karras et al. 2018: equalised learning rate, pixel norm, minibatch standard deviation, resampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantk.nn import Size

__all__ = ["BatchStd", "EqualConv", "EqualLinear", "Projection", "activation", "halve", "pixel_norm", "twice"]

GAIN = math.sqrt(2)
"""He et al.'s gain for a layer with a rectifier behind it; a layer without one has 1."""

EPSILON = 1e-8


class _Equal(nn.Module):
    """A layer with equalised learning rate: weights drawn from N(0, 1), scaled by gain / √fan_in at run time.

    So every weight has the same dynamic range, and Adam, whose step does not depend on a gradient's size, moves
    each at the same speed (section 4.1).
    """

    def __init__(self, shape: tuple[int, ...], biases: int, fan_in: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(biases))
        self.scale = gain / math.sqrt(fan_in)

    @property
    def scaled(self) -> Tensor:
        """The weights that the layer computes with."""
        return self.weight * self.scale

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, scale={self.scale:.4g}"


class EqualLinear(_Equal):
    """A linear layer with equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, gain: float = GAIN) -> None:
        super().__init__((outputs, inputs), outputs, inputs, gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.scaled, self.bias)


class EqualConv(_Equal):
    """A convolution of stride 1 that keeps the size, with equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = GAIN) -> None:
        super().__init__((outputs, inputs, kernel, kernel), outputs, inputs * kernel**2, gain)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scaled, self.bias, padding=self.padding)


class Projection(_Equal):
    """From a vector to a map, as a full convolution of a single pixel by a kernel of the map's size.

    The paper's Table 2 has `Conv 4×4` there. So the bias is one per channel, and fan_in counts the kernel's pixels.
    """

    def __init__(self, inputs: int, channels: int, size: Size, gain: float = GAIN) -> None:
        super().__init__((inputs, channels, *size), channels, inputs * size[0] * size[1], gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x[:, :, None, None], self.scaled, self.bias)


def activation() -> nn.LeakyReLU:
    """The activation of every layer that has one."""
    return nn.LeakyReLU(0.2)


def pixel_norm(x: Tensor) -> Tensor:
    """Each pixel's vector `[N, C, …]` over the channels, scaled to a mean square of 1 (section 4.2)."""
    scale = torch.rsqrt(x.float().square().mean(dim=1, keepdim=True) + EPSILON)
    return x * scale.to(x.dtype)


class BatchStd(nn.Module):
    """Minibatch standard deviation: one more channel, which says how much the images of a group differ (section 3).

    The batch is dealt out into groups of at most `group` images, as equal as possible: image i belongs to group
    i mod ⌈N / group⌉, which is the authors' grouping where `group` divides N. The standard deviation over a group, of
    each channel at each pixel, is averaged to one number per group, which every pixel of its images gets.

    In evaluation mode the number is a running mean instead, as with batch normalisation, so that a verdict on an image
    does not depend on what else is judged.

    Args:
        group: the largest number of images that are compared.
    """

    MOMENTUM = 0.1

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group
        self.register_buffer("usual", torch.zeros(()))
        self.usual: Tensor

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return torch.cat([x, self.usual.to(x.dtype).expand(len(x), 1, *x.shape[2:])], dim=1)
        deviations, groups = self.deviations(x)
        with torch.no_grad():
            self.usual.lerp_(deviations.mean(), self.MOMENTUM)
        shown = deviations.to(x.dtype)[groups].view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        return torch.cat([x, shown], dim=1)

    def deviations(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean standard deviation within each group, and the group that each image belongs to."""
        number = -(-len(x) // self.group)
        groups = torch.arange(len(x), device=x.device) % number
        values = x.float().flatten(1)
        members = values.new_zeros(number).index_add(0, groups, values.new_ones(len(x)))[:, None]

        def mean(of_each: Tensor) -> Tensor:
            return of_each.new_zeros(number, of_each.shape[1]).index_add(0, groups, of_each) / members

        variance = mean((values - mean(values)[groups]).square())
        return (variance + EPSILON).sqrt().mean(dim=1), groups


def halve(images: Tensor) -> Tensor:
    """The mean of each 2×2 block; an odd size is rounded up, and a block over the edge is the mean of what is in it."""
    return F.avg_pool2d(images, 2, ceil_mode=True)


def twice(images: Tensor, size: Size) -> Tensor:
    """Each pixel as a 2×2 block, cut to `size`; `halve` undoes it."""
    return F.interpolate(images, scale_factor=2.0, mode="nearest")[..., : size[0], : size[1]]
