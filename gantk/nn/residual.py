"""Residual blocks."""

from __future__ import annotations

from torch import Tensor, nn

from gantk.nn.layers import Norm, normalization

__all__ = ["ResidualBlock"]


class ResidualBlock(nn.Module):
    """act(x + f(x)), where f is convolution, normalization, act, convolution, normalization; preserves the shape.

    Args:
        channels: channels of the map.
        kernel: kernel size, odd.
        norm: normalization after both convolutions.
        slope: negative slope of the LeakyReLU; 0 is a ReLU.
    """

    paper = "He et al. 2016, arXiv:1512.03385, Figure 2"

    def __init__(self, channels: int, *, kernel: int = 3, norm: Norm = "batch", slope: float = 0.0) -> None:
        super().__init__()

        def convolution() -> nn.Conv2d:
            return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=norm == "none")

        self.body = nn.Sequential(
            convolution(),
            normalization(norm, channels),
            nn.LeakyReLU(slope, inplace=True),
            convolution(),
            normalization(norm, channels),
        )
        self.activation = nn.LeakyReLU(slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        y += x  # in place: at 512 pixels these maps take most of the memory
        activated: Tensor = self.activation(y)
        return activated
