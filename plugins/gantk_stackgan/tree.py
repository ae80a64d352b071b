"""StackGAN-v2's generator: a tree that grows images of several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from gantk import Binding, Play, require
from gantk.nn import Size, halved, init_weights
from gantk.parts import ImageShape
from gantk_stackgan.blocks import (
    GatedResidual,
    base_sizes,
    gated,
    narrowing,
    projection,
    spread_over,
    to_image,
    up_gated,
)
from gantk_stackgan.conditioning import AugmentedGenerator, Inputs

__all__ = ["StackGANv2Generator"]


class Branch(nn.Module):
    """The maps of a size from those of the size below: joined with c, residual blocks, upsampled."""

    def __init__(self, joined: int, inputs: int, outputs: int, residual: int, size: Size) -> None:
        super().__init__()
        self.join = gated(inputs + joined, inputs)
        self.residual = nn.Sequential(*(GatedResidual(inputs) for _ in range(residual)))
        self.up = up_gated(inputs, outputs, size)

    def forward(self, maps: Tensor, c: Tensor) -> Tensor:
        grown: Tensor = self.up(self.residual(self.join(torch.cat([maps, spread_over(c, maps)], dim=1))))
        return grown


class Tree(nn.Module):
    """From noise to images of every size, the smallest first."""

    def __init__(self, inputs: Inputs, width: int, residual: int, channels: int, sizes: Sequence[Size]) -> None:
        super().__init__()
        below = base_sizes(sizes[0])
        widths = narrowing(16 * width, len(below) + len(sizes) - 1)
        first = len(below) - 1
        self.inputs = inputs
        self.root = projection(inputs.width, widths[0], below[0], nn.GLU(dim=1), gates=2)
        self.up = nn.Sequential(*map(up_gated, widths[:first], widths[1:], below[1:]))
        self.branches = nn.ModuleList(
            Branch(inputs.joined, wide, narrow, residual, size)
            for wide, narrow, size in zip(widths[first:], widths[first + 1 :], sizes[1:], strict=False)
        )
        self.images = nn.ModuleList(to_image(wide, channels) for wide in widths[first:])

    def forward(self, noise: Tensor) -> tuple[Tensor, ...]:
        read, c = self.inputs(noise)
        maps = [cast(Tensor, self.up(self.root(read)))]
        for branch in self.branches:
            maps.append(branch(maps[-1], c))
        return tuple(image(each) for image, each in zip(self.images, maps, strict=True))


class AtSize(nn.Module):
    """The tree's images of one size. The tree is not a child, so that its weights are saved once."""

    def __init__(self, tree: Tree, index: int) -> None:
        super().__init__()
        self._tree = (tree,)
        self.index = index

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self._tree[0](noise)[self.index]
        return images


class StackGANv2Generator(AugmentedGenerator):
    """StackGAN-v2's generator: a tree whose branches generate the same image at several sizes, each half the next.

    In a conditional model, the condition is read through conditioning augmentation: the last `augmented` numbers of
    the noise draw it from a Gaussian around the condition, whose Kullback-Leibler divergence from N(0, I) the
    generator minimizes too. Every branch reads it again; without a condition, it reads the noise.

    Args:
        sizes: number of sizes, at least 2; the paper has 3 (64, 128, 256).
        width: the smallest map has 16 · width channels, which are halved with each doubling; at least 1.
        residual: residual blocks of each branch, at least 0.
        augmented: length of the augmented condition; 0 for half of the noise.
        kl: weight of the divergence, which is the mean over dimensions, 0 or more.
        init_std: standard deviation of the initial weights, above 0; those of the augmentation are PyTorch's.
    """

    paper = "Zhang et al. 2018, arXiv:1710.10916, section 4"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        *,
        sizes: int = 3,
        width: int = 64,
        residual: int = 2,
        augmented: int = 0,
        kl: float = 2.0,
        init_std: float = 0.02,
    ) -> None:
        options: dict[str, Any] = {"width": width, "residual": residual, "augmented": augmented}
        super().__init__(image_shape, condition_dim, kl=kl, init_std=init_std, **options)
        require(sizes >= 2, f"sizes must be at least 2, not {sizes}.")
        self.sizes = halved(image_shape[1:], sizes - 1)[::-1]
        inputs = Inputs(noise_dim, condition_dim, augmented)
        self.tree = Tree(inputs, width, residual, image_shape[0], self.sizes)
        self.at = nn.ModuleList(AtSize(self.tree, index) for index in range(sizes))
        init_weights(self, init_std)
        inputs.reset()

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.tree(noise)[-1]
        return images

    def joins(self, binding: Binding) -> bool:
        """The conditional game of the full size."""
        return super().joins(binding) and binding.generator == "generator" and binding.condition == "condition"

    def generator(self, play: Play) -> Tensor:
        """The divergence of the augmented condition from N(0, I)."""
        return self.tree.inputs.divergence(play.condition)
