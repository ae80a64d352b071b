"""Layers of Karras et al. 2018: equalized learning rate, pixel norm, minibatch standard deviation, resampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantk.nn import Size

__all__ = ["BatchStd", "EqualConv", "EqualLinear", "Projection", "activation", "halve", "pixel_norm", "twice"]

GAIN = math.sqrt(2)
"""He et al.'s gain for a layer followed by a rectifier; other layers have 1."""

EPSILON = 1e-8


class _Equal(nn.Module):
    """A layer with equalized learning rate: weights drawn from N(0, 1), scaled by gain / √fan_in at run time.

    So every weight has the same dynamic range, and Adam, whose step size does not depend on the gradient's magnitude,
    updates all of them at the same speed (section 4.1).
    """

    def __init__(self, shape: tuple[int, ...], biases: int, fan_in: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(biases))
        self.scale = gain / math.sqrt(fan_in)

    @property
    def scaled(self) -> Tensor:
        """The scaled weights."""
        return self.weight * self.scale

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, scale={self.scale:.4g}"


class EqualLinear(_Equal):
    """A linear layer with equalized learning rate."""

    def __init__(self, inputs: int, outputs: int, gain: float = GAIN) -> None:
        super().__init__((outputs, inputs), outputs, inputs, gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.scaled, self.bias)


class EqualConv(_Equal):
    """A convolution of stride 1 that keeps the size, with equalized learning rate."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = GAIN) -> None:
        super().__init__((outputs, inputs, kernel, kernel), outputs, inputs * kernel**2, gain)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scaled, self.bias, padding=self.padding)


class Projection(_Equal):
    """From a vector to a map: a full convolution of a single pixel with a kernel of the map's size.

    This is `Conv 4×4` in the paper's Table 2: there is one bias per channel, and fan_in counts the kernel's pixels.
    """

    def __init__(self, inputs: int, channels: int, size: Size, gain: float = GAIN) -> None:
        super().__init__((inputs, channels, *size), channels, inputs * size[0] * size[1], gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x[:, :, None, None], self.scaled, self.bias)


def activation() -> nn.LeakyReLU:
    """The activation of every layer that has one."""
    return nn.LeakyReLU(0.2)


def pixel_norm(x: Tensor) -> Tensor:
    """Scale each pixel's channel vector in `[N, C, …]` to a mean square of 1 (section 4.2)."""
    scale = torch.rsqrt(x.float().square().mean(dim=1, keepdim=True) + EPSILON)
    return x * scale.to(x.dtype)


class BatchStd(nn.Module):
    """Minibatch standard deviation: an additional channel that shows how much the images of a group differ (section 3).

    The batch is split into groups of at most `group` images and nearly equal size: image i belongs to group
    i mod ⌈N / group⌉, which is the authors' grouping if N is divisible by `group`. The standard deviation over a group
    is averaged over channels and pixels; all pixels of the group's images get this value.

    In evaluation mode the value is a running mean, as in batch normalization, so the verdict on an image does not
    depend on the other images.

    Args:
        group: maximum number of images in a group.
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
    """The mean of each 2×2 block; odd sizes are rounded up, and a block at the edge averages the pixels inside."""
    return F.avg_pool2d(images, 2, ceil_mode=True)


def twice(images: Tensor, size: Size) -> Tensor:
    """Repeat each pixel as a 2×2 block and crop to `size`; `halve` is the inverse."""
    return F.interpolate(images, scale_factor=2.0, mode="nearest")[..., : size[0], : size[1]]
