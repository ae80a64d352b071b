"""How weights lie in memory."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["LAYOUTS", "lay_out"]

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
"""Name, as in `train.memory_format` → torch's memory format."""


@torch.no_grad()
def lay_out(module: nn.Module, layout: str) -> None:
    """Lay out all weights of four dimensions, such as those of convolutions, in place; their values stay.

    Convolutions follow the layout of their weights, and give images and feature maps in it.

    Args:
        module: the module, averages of weights included.
        layout: a name in `LAYOUTS`.
    """
    for each in module.modules():
        for tensor in (*each._parameters.values(), *each._buffers.values()):
            if tensor is not None and tensor.dim() == 4 and not nn.parameter.is_lazy(tensor):
                laid = tensor.data.contiguous(memory_format=LAYOUTS[layout])
                # Where an image or a kernel has one channel or one pixel, the bytes are in both orders, and torch tells
                # the layout by the strides, which `contiguous` leaves as they are.
                tensor.data = laid.as_strided(laid.shape, _strides(laid.shape, layout))


def _strides(shape: torch.Size, layout: str) -> tuple[int, ...]:
    _, channels, height, width = shape
    if layout == "contiguous":
        return channels * height * width, height * width, width, 1
    return channels * height * width, 1, width * channels, channels
