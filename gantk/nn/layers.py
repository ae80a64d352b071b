"""Layers: resampling by two to an exact size, normalizations and output activations by name, weight initialization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from gantk.errors import FitError
from gantk.nn.sizes import Size
from gantk.parts import require

__all__ = [
    "Norm",
    "Output",
    "check_kernel",
    "downsampler",
    "init_weights",
    "normalization",
    "output_activation",
    "upsampler",
]

Norm = Literal["batch", "instance", "layer", "none"]
"""A normalization; only with `batch` does the result for an image depend on the rest of its batch."""

Output = Literal["tanh", "sigmoid"]
"""The activation that bounds a generator's images to [-1, 1]."""

MAX_KERNEL = 11


def check_kernel(kernel: int) -> None:
    """Refuse a kernel size that is too large, or with which a stride-2 layer would skip pixels."""
    require(3 <= kernel <= MAX_KERNEL, f"kernel must be 3 … {MAX_KERNEL}, not {kernel}.")


def upsampler(
    in_channels: int,
    out_channels: int,
    source: Size,
    target: Size,
    kernel: int | Size = 5,
    *,
    bias: bool = True,
) -> nn.ConvTranspose2d:
    """A transposed convolution of stride 2 that maps a `source` size to a `target` size exactly.

    Height and width may differ, and may double to an odd number. From a single pixel with `kernel=target` it is a
    learned projection to a map.

    Raises:
        FitError: no padding of this kernel maps the one size to the other.
    """
    kernels = (kernel, kernel) if isinstance(kernel, int) else kernel
    (top, below), (left, right) = (_transposed_padding(*axis) for axis in zip(source, target, kernels, strict=True))
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernels, 2, padding=(top, left), output_padding=(below, right), bias=bias
    )


def _transposed_padding(source: int, target: int, kernel: int) -> tuple[int, int]:
    """(padding, output_padding) of one axis: target = 2 (source - 1) + kernel - 2 padding + output_padding."""
    excess = 2 * (source - 1) + kernel - target
    padding = (excess + 1) // 2
    if not 0 <= padding < kernel:
        raise FitError(
            f"a transposed convolution with kernel {kernel} and stride 2 cannot map {source} pixels to {target}, only "
            f"to {max(1, 2 * source - kernel)} … {2 * source + kernel - 1}."
        )
    return padding, 2 * padding - excess


def downsampler(in_channels: int, out_channels: int, source: Size, kernel: int = 5, *, bias: bool = True) -> nn.Conv2d:
    """A convolution of stride 2 that halves a `source` size, rounding up, and covers every pixel."""
    height, width = (_strided_padding(side, kernel) for side in source)
    return nn.Conv2d(in_channels, out_channels, kernel, 2, padding=(height, width), bias=bias)


def _strided_padding(source: int, kernel: int) -> int:
    target = (source + 1) // 2
    return max(0, (2 * (target - 1) + kernel - source + 1) // 2)


_MAP_NORMS: dict[str, Callable[[int, bool], nn.Module]] = {
    "batch": lambda channels, affine: nn.BatchNorm2d(channels, affine=affine),
    "instance": lambda channels, affine: nn.InstanceNorm2d(channels, affine=affine),
    "layer": lambda channels, affine: nn.GroupNorm(1, channels, affine=affine),
    "none": lambda channels, affine: nn.Identity(),
}
# Instance normalization of a single value is undefined, so for vectors it normalizes the whole vector.
_VECTOR_NORMS: dict[str, Callable[[int, bool], nn.Module]] = {
    **_MAP_NORMS,
    "batch": lambda channels, affine: nn.BatchNorm1d(channels, affine=affine),
    "instance": _MAP_NORMS["layer"],
}


def normalization(name: Norm, channels: int, *, vectors: bool = False, affine: bool = True) -> nn.Module:
    """A normalization of maps `[N, channels, H, W]`, or of `vectors` `[N, channels]`, with a learned scale and shift.

    `layer` normalizes each image over all its channels and pixels, `instance` each channel of each image; for
    vectors, `instance` means `layer`. Without `affine`, it has no scale and shift.
    """
    return (_VECTOR_NORMS if vectors else _MAP_NORMS)[name](channels, affine)


class _ScaledSigmoid(nn.Module):
    """2 sigmoid(x) - 1: a sigmoid scaled from [0, 1] to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * torch.sigmoid(x) - 1


_OUTPUTS: dict[str, Callable[[], nn.Module]] = {"tanh": nn.Tanh, "sigmoid": _ScaledSigmoid}


def output_activation(name: Output) -> nn.Module:
    """The activation that bounds images to [-1, 1]: `tanh`, or `sigmoid` as 2 sigmoid(x) - 1."""
    return _OUTPUTS[name]()


_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
_SCALED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)


@torch.no_grad()
def init_weights(module: nn.Module, std: float) -> None:
    """Draw weights from N(0, std²) and normalizations' scales from N(1, std²); set biases to zero."""
    for layer in module.modules():
        if isinstance(layer, (*_WEIGHTED, *_SCALED)):
            if layer.weight is not None:
                nn.init.normal_(layer.weight, 1.0 if isinstance(layer, _SCALED) else 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
