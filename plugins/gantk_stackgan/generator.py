"""StackGAN's generator: stage I generates small images, and stage II refines them at the full size."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantk import Binding, Play, require
from gantk.nn import ResidualBlock, Size, downsampler, halved, init_weights
from gantk.parts import ImageShape
from gantk_stackgan.blocks import base_sizes, narrowing, projection, rectified, spread_over, to_image, up_rectified
from gantk_stackgan.conditioning import AugmentedGenerator, Inputs

__all__ = ["StackGANGenerator"]

SATURATED = 0.99
"""Stage I's pixels are clipped to this before the inverse of the tanh."""
HALVINGS = 2
"""Halvings of stage II's encoder."""


class StageOne(nn.Module):
    """From noise to small images: a projection, then upsampling blocks."""

    def __init__(self, inputs: Inputs, width: int, channels: int, size: Size) -> None:
        super().__init__()
        sizes = base_sizes(size)
        widths = narrowing(8 * width, len(sizes))
        self.inputs = inputs
        self.project = projection(inputs.width, widths[0], sizes[0], nn.ReLU())
        self.up = nn.Sequential(*map(up_rectified, widths[:-1], widths[1:], sizes[1:]))
        self.image = to_image(widths[-1], channels)

    def forward(self, noise: Tensor) -> Tensor:
        read, _ = self.inputs(noise)
        images: Tensor = self.image(self.up(self.project(read)))
        return images

    def divergence(self, condition: Tensor) -> Tensor:
        """The Kullback-Leibler divergence of its augmented condition from N(0, I)."""
        return self.inputs.divergence(condition)


class StageTwo(nn.Module):
    """From small images and the condition to large ones: an encoder, residual blocks, upsampling blocks."""

    def __init__(
        self,
        inputs: Inputs,
        width: int,
        residual: int,
        skip: bool,
        channels: int,
        coarse: Size,
        sizes: list[Size],
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.skip = skip
        self.encode = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.ReLU())
        between, wide = halved(coarse, HALVINGS), width
        for source in between[:-1]:
            self.encode.append(downsampler(wide, 2 * wide, source, 4, bias=False))
            self.encode.extend([nn.BatchNorm2d(2 * wide), nn.ReLU()])
            wide *= 2
        self.join = rectified(wide + inputs.joined, wide)
        self.residual = nn.Sequential(*(ResidualBlock(wide) for _ in range(residual)))
        targets = [*between[-2::-1], *sizes]
        widths = narrowing(wide, len(targets) + 1)
        self.up = nn.Sequential(*map(up_rectified, widths[:-1], widths[1:], targets))
        self.correction, self.squash = to_image(widths[-1], channels)

    def forward(self, noise: Tensor, coarse: Tensor) -> Tensor:
        """Images for the noise and stage I's images of that noise."""
        _, c = self.inputs(noise)
        encoded = cast(Tensor, self.encode(coarse))
        joined = self.join(torch.cat([encoded, spread_over(c, encoded)], dim=1))
        drawn: Tensor = self.correction(self.up(self.residual(joined)))
        if self.skip:
            known = torch.atanh(coarse.float().clamp(-SATURATED, SATURATED))
            drawn = drawn + F.interpolate(known, drawn.shape[2:], mode="bilinear").to(drawn.dtype)
        return cast(Tensor, self.squash(drawn))

    def divergence(self, condition: Tensor) -> Tensor:
        """The Kullback-Leibler divergence of its augmented condition from N(0, I)."""
        return self.inputs.divergence(condition)


class StackGANGenerator(AugmentedGenerator):
    """StackGAN's generator: stage I generates small images from noise, and stage II refines them at the full size.

    In a conditional model, both stages read the condition through conditioning augmentation: the last `augmented`
    numbers of the noise draw it from a Gaussian around the condition, whose Kullback-Leibler divergence from N(0, I)
    the generator minimizes too. Without a condition, stage II reads the noise in its place.

    Args:
        width: channels of stage II's first layer, at least 1; stage I's smallest map has 8 · width.
        doublings: how often stage I's size is doubled to the full size, at least 1; the paper has 2 (64 → 256).
        residual: residual blocks of stage II, at least 0.
        skip: whether stage II's output is added to stage I's enlarged image, before the tanh; not so in the paper.
        augmented: length of the augmented condition; 0 for half of the noise.
        kl: weight of the divergence, which is the mean over dimensions, 0 or more.
        init_std: standard deviation of the initial weights, above 0; those of the augmentation are PyTorch's.
    """

    paper = "Zhang et al. 2017, arXiv:1612.03242, sections 3.3 and 3.4"
    refines: Tensor

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        *,
        width: int = 128,
        doublings: int = 2,
        residual: int = 4,
        skip: bool = True,
        augmented: int = 0,
        kl: float = 2.0,
        init_std: float = 0.02,
    ) -> None:
        options: dict[str, Any] = {"width": width, "residual": residual, "augmented": augmented}
        super().__init__(image_shape, condition_dim, kl=kl, init_std=init_std, **options)
        require(doublings >= 1, f"doublings must be at least 1, not {doublings}.")
        channels, *_ = image_shape
        self.sizes = halved(image_shape[1:], doublings)[::-doublings]
        coarse, *_ = self.sizes
        rising = halved(image_shape[1:], doublings)[-2::-1]
        one, two = (Inputs(noise_dim, condition_dim, augmented) for _ in range(2))
        self.first = StageOne(one, width, channels, coarse)
        self.second = StageTwo(two, width, residual, skip, channels, coarse, rising)
        self.register_buffer("refines", torch.tensor(True))
        init_weights(self, init_std)
        for inputs in (one, two):
            inputs.reset()

    def forward(self, noise: Tensor) -> Tensor:
        """Stage II's images; stage I's, enlarged, until stage II is trained."""
        coarse = cast(Tensor, self.first(noise))
        if not self.refines:
            return F.interpolate(coarse, self.image_shape[1:])
        images: Tensor = self.second(noise, coarse)
        return images

    def divergence(self, condition: Tensor) -> Tensor:
        """The sum of both stages' divergences."""
        return self.first.divergence(condition) + self.second.divergence(condition)

    def joins(self, binding: Binding) -> bool:
        """The games of the whole and of stage I, once each."""
        games = ("generator", "generator.first")
        return super().joins(binding) and binding.generator in games and binding.condition == "condition"

    def generator(self, play: Play) -> Tensor:
        """The divergence of the augmented condition of what generates: stage I, or both."""
        divergence = getattr(play.generator, "divergence", self.divergence)
        return cast(Tensor, divergence(play.condition))
