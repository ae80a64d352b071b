"""DE-GAN's generator and discriminator: Tables II, III and IV, generalized to any image size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gantk import Discriminator, Generator, Verdict, require
from gantk.nn import (
    DownStack,
    Head,
    Norm,
    Output,
    Size,
    halved,
    init_weights,
    normalization,
    output_activation,
    provided,
    read_off,
    up_stack,
    upsampler,
)
from gantk.parts import ImageShape

__all__ = ["DEGANDiscriminator", "DEGANGenerator"]

KERNEL = 5
LARGEST_BASE = 8
"""If widths are not given, the last one is repeated until the shorter side of the smallest map is at most this."""

BASE_CHANNELS = 128
"""Channels of the base map if the first fully connected layer does not fill it (Table II: 6272 = 7 · 7 · 128)."""


@dataclass(frozen=True)
class _Table:
    """The values in which the paper's tables differ."""

    generator_widths: tuple[int, ...]
    closing_conv: bool
    discriminator_widths: tuple[int, ...]
    discriminator_fc: int
    discriminator_fc_norm: bool


TABLE_II = _Table((128,), False, (11, 74), 1024, True)
TABLE_III = _Table((512, 256, 512, 64), True, (64, 128, 256), 64, False)


def _table(size: Size) -> _Table:
    """Table III (and IV, which is the same) if both sides are divisible by 16, else Table II."""
    return TABLE_II if size[0] % 16 or size[1] % 16 else TABLE_III


def _extended(widths: tuple[int, ...], size: Size, unlisted: int) -> tuple[int, ...]:
    """Repeat the last width until the halvings, including `unlisted` more, reach a small map."""
    while min(halved(size, len(widths) + unlisted)[-1]) > LARGEST_BASE:
        widths += widths[-1:]
    return widths


def _check(widths: tuple[int, ...] | None, fc: int | None, init_std: float) -> None:
    require(
        widths is None or (len(widths) > 0 and min(widths) >= 1), f"widths are one or more of at least 1, not {widths}."
    )
    require(fc is None or fc >= 1, f"fc must be at least 1, not {fc}.")
    require(init_std > 0, f"init_std must be positive, not {init_std}.")


def _connected(inputs: int, outputs: int, activation: nn.Module, norm: Norm = "batch") -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=norm == "none"), normalization(norm, outputs, vectors=True), activation
    )


class DEGANGenerator(Generator):
    """DE-GAN's generator: fully connected layers to a small map, then transposed 5x5 convolutions of stride 2.

    Batch normalization and ReLU follow every layer except the one that outputs the image: the paper's text puts batch
    normalization on every convolutional layer, although Tables III and IV list it for the first two only. Their
    `tanh` after 64 channels is read as a final 5x5 convolution to the image's channels.

    Args:
        fc: width of the first fully connected layer, at least 1; if it is not divisible by the base map's area, a
            second one with 128 channels per pixel follows (Table II).
        widths: channels of each transposed convolution; by default those of Table III if both sides of the image are
            divisible by 16, else those of Table II, with the last one repeated for larger images.
        closing_conv: whether the last layer is a stride-1 convolution (Table III) or a transposed convolution
            (Table II); by default as in the table that the size selects.
        output: activation that bounds the images to [-1, 1]; the paper uses sigmoid on MNIST and tanh on color images.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Zhong et al. 2018, arXiv:1807.03923, Tables II-IV"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        fc: int = 1024,
        widths: tuple[int, ...] | None = None,
        closing_conv: bool | None = None,
        output: Output = "tanh",
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        _check(widths, fc, init_std)
        self.image_shape = image_shape
        self.noise_dim = noise_dim
        channels, size = image_shape[0], image_shape[1:]
        table = _table(size)
        closing = table.closing_conv if closing_conv is None else closing_conv
        last_upsampler = 0 if closing else 1
        if widths is None:
            widths = _extended(table.generator_widths, size, last_upsampler)
        sizes = halved(size, len(widths) + last_upsampler)[::-1]
        base = _Base(fc, sizes[0])
        self.project = nn.Sequential(_connected(noise_dim, fc, nn.ReLU()), base)
        self.up = up_stack(base.channels, sizes[: len(widths) + 1], widths, kernel=KERNEL)
        self.image = nn.Sequential(
            nn.Conv2d(widths[-1], channels, KERNEL, padding=KERNEL // 2)
            if closing
            else upsampler(widths[-1], channels, sizes[-2], sizes[-1], KERNEL),
            output_activation(output),
        )
        init_weights(self, init_std)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.image(self.up(self.project(noise)))
        return images


class _Base(nn.Sequential):
    """From the first fully connected layer to the base map: a reshape, after a second layer if needed."""

    channels: int

    def __init__(self, features: int, size: Size) -> None:
        area = size[0] * size[1]
        fits = features % area == 0
        channels = features // area if fits else BASE_CHANNELS
        fill = () if fits else (_connected(features, channels * area, nn.ReLU()),)
        super().__init__(*fill, nn.Unflatten(1, (channels, *size)))
        self.channels = channels


class DEGANDiscriminator(Discriminator):
    """DE-GAN's discriminator: 5x5 convolutions of stride 2, one fully connected layer, one logit; LeakyReLU(0.2).

    Normalization follows every convolution except the first. Tables III and IV list `FC 1, FC 64`, which is read as
    FC 64 → FC 1, with LeakyReLU after FC 64. Table II has batch normalization after its FC 1024.
    The hidden maps are the activations of the convolutions; the code, if any, is a linear function of the last one.

    Args:
        widths: channels of each convolution; by default those of Table III if both sides of the image are divisible
            by 16, else those of Table II, with the last one repeated for larger images.
        fc: width of the fully connected layer, at least 1; by default 64 (Table III) or 1024 (Table II).
        fc_norm: whether the fully connected layer is normalized as well; by default as in the table that the size
            selects: Table II has it, Table III does not. Batch normalization right before the logit gives real and
            generated images the same mean features, which leaves a discriminator with few of them little to go by.
        norm: normalization of every layer except the first; gradient penalties need one other than batch.
        code: whether to also predict a code of the noise's dimension for each image.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Zhong et al. 2018, arXiv:1807.03923, Tables II-IV"
    offers: Mapping[str, Mapping[str, Any]] = {"per-sample": {"norm": "layer"}, "code": {"code": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        widths: tuple[int, ...] | None = None,
        fc: int | None = None,
        fc_norm: bool | None = None,
        norm: Norm = "batch",
        code: bool = False,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        _check(widths, fc, init_std)
        self.provides = provided(norm=norm, code=code)
        channels, size = image_shape[0], image_shape[1:]
        table = _table(size)
        if widths is None:
            widths = _extended(table.discriminator_widths, size, 0)
        if fc is None:
            fc = table.discriminator_fc
        self.down = DownStack(channels, size, widths, kernel=KERNEL, norm=norm)
        normal = table.discriminator_fc_norm if fc_norm is None else fc_norm
        connected = _connected(self.down.features, fc, nn.LeakyReLU(0.2), norm if normal else "none")
        self.logit = nn.Sequential(nn.Flatten(), connected, Head(fc, 1))
        self.code = Head(self.down.features, noise_dim) if code else None
        init_weights(self, init_std)

    def forward(self, images: Tensor) -> Verdict:
        hidden: tuple[Tensor, ...] = self.down(images)
        return read_off(hidden[-1], hidden, logit=self.logit, code=self.code)
