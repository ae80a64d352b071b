"""SAGAN's and BigGAN's networks, for images of any size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantk import Discriminator, Generator, Verdict, require
from gantk.errors import FitError
from gantk.nn import Size, halve_until, normalization
from gantk.parts import ImageShape
from gantk_attention.blocks import DownBlock, Init, SelfAttention, UpBlock, initialize, normalized

__all__ = ["SAGANDiscriminator", "SAGANGenerator"]

LARGEST_BASE = 7
"""The image is halved until its shorter side is at most this: 28 → 14 → 7, 128 → … → 4."""


def _plan(image_shape: ImageShape, width: int, growth: int) -> tuple[list[Size], list[int]]:
    """Sizes from the image's down to the base's, and channels next to the image and after each further halving."""
    require(width >= 1, f"width must be at least 1, not {width}.")
    require(growth >= 1, f"growth must be at least 1, not {growth}.")
    sizes = halve_until(image_shape[1:], LARGEST_BASE)
    return sizes, [width * min(2**depth, growth) for depth in range(len(sizes) - 1)]


def _attended(sizes: list[Size], attention: int) -> Size | None:
    """The largest of the sizes whose longer side is at most `attention`; `None` if there is none."""
    require(attention >= 0, f"attention must be 0 or more, not {attention}.")
    return max((size for size in sizes if max(size) <= attention), default=None)


class SAGANGenerator(Generator):
    """SAGAN's generator: residual blocks with batch and spectral normalization, and self-attention on one map.

    A condition modulates the normalizations (conditional batch normalization). With `hierarchical` and `shared` it is
    BigGAN's generator: each block's normalizations read a chunk of the noise of their own, and an embedding of the
    condition that all blocks share.

    Args:
        width: channels of the block next to the image, at least 1; they double with each halving.
        growth: most channels of a block, as a multiple of `width`; 1 for the same in all blocks.
        attention: the largest map whose longer side has at most this many pixels gets self-attention; 0 for none.
        spectral: whether to normalize weights by their largest singular value.
        hierarchical: whether every block reads a chunk of the noise.
        shared: length of the embedding of the condition; 0 to read the condition itself.
        init: how weights are drawn.
    """

    paper = "Zhang et al. 2019, arXiv:1805.08318; Brock, Donahue & Simonyan 2019, arXiv:1809.11096"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        *,
        width: int = 64,
        growth: int = 16,
        attention: int = 16,
        spectral: bool = True,
        hierarchical: bool = False,
        shared: int = 0,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        require(shared >= 0, f"shared must be 0 or more, not {shared}.")
        self.image_shape = image_shape
        self.own = noise_dim - condition_dim
        sizes, widths = _plan(image_shape, width, growth)
        count = len(widths)
        if hierarchical and self.own <= count:
            raise FitError(f"{self.own} numbers of noise cannot be split into {count + 1} chunks", "use more noise")
        chunks = [len(part) for part in torch.zeros(self.own).tensor_split(count + 1)] if hierarchical else [self.own]
        self.chunks = chunks
        self.shared = nn.Linear(condition_dim, shared, bias=False) if shared and condition_dim else None
        told = shared if self.shared is not None else condition_dim
        styles = [told + chunk for chunk in chunks[1:]] if hierarchical else [told] * count

        height, breadth = sizes[-1]
        self.project = nn.Sequential(
            nn.Linear(chunks[0], widths[-1] * height * breadth), nn.Unflatten(1, (widths[-1], height, breadth))
        )
        targets, outputs = sizes[-2::-1], widths[::-1]
        inputs = [outputs[0], *outputs[:-1]]
        self.blocks = nn.ModuleList(map(UpBlock, inputs, outputs, targets, styles))
        self.attended = _attended(targets, attention)
        self.attention = SelfAttention(outputs[targets.index(self.attended)]) if self.attended else None
        self.image = nn.Sequential(
            normalization("batch", width), nn.ReLU(), nn.Conv2d(width, image_shape[0], 3, padding=1), nn.Tanh()
        )
        for module in (self.project, *self._convolutions(), self.attention, self.image):
            if module is not None:
                initialize(module, init)
                if spectral:
                    normalized(module)

    def _convolutions(self) -> Iterator[nn.Module]:
        """Those of the blocks: scales and shifts begin at 1 and 0 and are not normalized."""
        for block in self.blocks:
            assert isinstance(block, UpBlock)
            yield from (block.first, block.second, block.shortcut)

    def forward(self, noise: Tensor) -> Tensor:
        first, *rest = torch.split(noise[:, : self.own], self.chunks, dim=1)
        told = noise[:, self.own :]
        if self.shared is not None:
            told = self.shared(told)
        x = self.project(first)
        for index, block in enumerate(self.blocks):
            x = block(x, torch.cat([told, rest[index]], dim=1) if rest else told)
            if self.attention is not None and tuple(x.shape[2:]) == self.attended:
                x = self.attention(x)
        images: Tensor = self.image(x)
        return images


class SAGANDiscriminator(Discriminator):
    """SAGAN's and BigGAN's discriminator: residual blocks with spectral normalization, and self-attention on one map.

    Features are the last map after ReLU, summed over its pixels. If there is a condition, its product with the features
    is added to the logit (projection). The hidden maps are those of the blocks, the last one after ReLU.

    Args:
        width: channels of the first block, at least 1; they double with each halving.
        growth: most channels of a block, as a multiple of `width`; 1 for the same in all blocks.
        attention: the largest map whose longer side has at most this many pixels gets self-attention; 0 for none.
        projection: whether to read a condition by projection; without, it is shown as channels of the images.
        code: whether to also predict a code of the noise's dimension for each image.
        init: how weights are drawn.
    """

    paper = "Zhang et al. 2019, arXiv:1805.08318; Miyato & Koyama 2018, arXiv:1802.05637"
    offers: Mapping[str, Mapping[str, Any]] = {"code": {"code": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        condition_dim: int,
        *,
        width: int = 64,
        growth: int = 16,
        attention: int = 16,
        projection: bool = True,
        code: bool = False,
        init: Init = "xavier",
    ) -> None:
        super().__init__()
        sizes, widths = _plan(image_shape, width, growth)
        features = widths[-1]
        self.provides = frozenset({"logits", "hidden", "per-sample", *(("code",) if code else ())})
        self.reads_condition = projection and condition_dim > 0
        inputs = [image_shape[0], *widths[:-1]]
        blocks = [DownBlock(a, b, first=i == 0) for i, (a, b) in enumerate(zip(inputs, widths, strict=True))]
        self.blocks = nn.ModuleList([*blocks, DownBlock(features, features, halves=False)])
        self.attended = _attended(sizes[1:], attention)
        self.attention = SelfAttention(widths[sizes.index(self.attended) - 1]) if self.attended else None
        self.logit = nn.Linear(features, 1)
        self.code = nn.Linear(features, noise_dim) if code else None
        self.embedding = nn.Linear(condition_dim, features, bias=False) if self.reads_condition else None
        initialize(self, init)
        normalized(self)

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        """The verdict on `[N, C, H, W]` images and, if it reads them, their conditions `[N, condition_dim]`."""
        x, hidden, left = images, [], self.attention
        for block in self.blocks:
            x = block(x)
            if left is not None and tuple(x.shape[2:]) == self.attended:
                x, left = left(x), None
            hidden.append(x)
        hidden[-1] = F.relu(x)
        features = hidden[-1].sum(dim=(2, 3))
        logits = self.logit(features).squeeze(1)
        if self.embedding is not None:
            (given,) = conditions
            logits = logits + (self.embedding(given.to(features.dtype)) * features).sum(dim=1)
        code = None if self.code is None else self.code(features)
        return Verdict(logits=logits, hidden=tuple(hidden), code=code)
