"""R3GAN's generator and discriminator, for any image size and any number of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Discriminator, Generator, Verdict
from gantk.nn import output_activation
from gantk.parts import ImageShape
from gantk_r3gan.layers import Basis, Plan, Resample, scaled

__all__ = ["R3GANDiscriminator", "R3GANGenerator"]


class R3GANGenerator(Generator):
    """R3GAN's generator: residual blocks of 1x1, grouped 3x3 and 1x1 convolutions, without normalization; tanh.

    The first map has at most 4 pixels on the shorter side and is doubled up to the image, bilinearly. The authors' for
    CIFAR-10 is `width=768,largest=768`.

    Args:
        width: channels of the stage next to the image, at least 1; they double with each halving, up to `largest`.
        largest: the most channels of a stage, at least `width`.
        blocks: residual blocks of each stage, at least 1.
        expansion: factor by which a block widens its channels, at least 1.
        group: channels of each group of the 3x3 convolutions, at least 1; it divides the widened channels.
    """

    paper = "Huang et al. 2024, arXiv:2501.05441, section 3"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 32,
        largest: int = 256,
        blocks: int = 2,
        expansion: int = 2,
        group: int = 16,
    ) -> None:
        super().__init__()
        plan = Plan(image_shape, width=width, largest=largest, blocks=blocks, expansion=expansion, group=group)
        self.image_shape = image_shape
        sizes, widths = plan.sizes[::-1], plan.widths[::-1]
        self.basis = Basis(noise_dim, widths[0], sizes[0])
        self.stages_up = nn.ModuleList([nn.Sequential(*plan.blocks(widths[0]))])
        for depth in range(1, len(sizes)):
            change = _project(widths[depth - 1], widths[depth])
            up = Resample(sizes[depth - 1], sizes[depth])
            self.stages_up.append(nn.Sequential(change, up, *plan.blocks(widths[depth])))
        last = scaled(nn.Conv2d(widths[-1], image_shape[0], 1, bias=False), 1.0)
        self.image = nn.Sequential(last, output_activation("tanh"))

    def forward(self, noise: Tensor) -> Tensor:
        x: Tensor = self.basis(noise)
        for stage in self.stages_up:
            x = stage(x)
        images: Tensor = self.image(x)
        return images


class R3GANDiscriminator(Discriminator):
    """R3GAN's discriminator, which mirrors its generator; it judges each image independently.

    The hidden maps are the outputs of each stage, before the size is halved. The logit and the code, if any, are linear
    functions of one number per channel, a learned weighting of the pixels of the last map.

    Args:
        width: channels of the stage next to the image, at least 1; they double with each halving, up to `largest`.
        largest: the most channels of a stage, at least `width`.
        blocks: residual blocks of each stage, at least 1.
        expansion: factor by which a block widens its channels, at least 1.
        group: channels of each group of the 3x3 convolutions, at least 1; it divides the widened channels.
        code: whether to also predict a code of the noise's dimension for each image.
    """

    paper = "Huang et al. 2024, arXiv:2501.05441, section 3"
    offers: Mapping[str, Mapping[str, Any]] = {"code": {"code": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 32,
        largest: int = 256,
        blocks: int = 2,
        expansion: int = 2,
        group: int = 16,
        code: bool = False,
    ) -> None:
        super().__init__()
        self.provides = frozenset({"logits", "hidden", "per-sample"} | ({"code"} if code else set()))
        plan = Plan(image_shape, width=width, largest=largest, blocks=blocks, expansion=expansion, group=group)
        sizes, widths = plan.sizes, plan.widths
        self.stages_down = nn.ModuleList(
            [nn.Sequential(scaled(nn.Conv2d(image_shape[0], widths[0], 1, bias=False), 1.0), *plan.blocks(widths[0]))]
        )
        for depth in range(1, len(sizes)):
            down = Resample(sizes[depth - 1], sizes[depth])
            change = _project(widths[depth - 1], widths[depth])
            self.stages_down.append(nn.Sequential(down, change, *plan.blocks(widths[depth])))
        last = widths[-1]
        weighted = scaled(nn.Conv2d(last, last, sizes[-1], groups=last, bias=False), 1.0)
        self.basis = nn.Sequential(weighted, nn.Flatten())
        self.logit = scaled(nn.Linear(last, 1, bias=False), 1.0)
        self.code = scaled(nn.Linear(last, noise_dim, bias=False), 1.0) if code else None

    def forward(self, images: Tensor) -> Verdict:
        hidden: list[Tensor] = []
        for stage in self.stages_down:
            hidden.append(stage(hidden[-1] if hidden else images))
        features: Tensor = self.basis(hidden[-1])
        code = None if self.code is None else self.code(features)
        return Verdict(logits=self.logit(features).squeeze(1), hidden=tuple(hidden), code=code)


def _project(before: int, after: int) -> nn.Module:
    """A 1x1 convolution where the number of channels changes."""
    return nn.Identity() if before == after else scaled(nn.Conv2d(before, after, 1, bias=False), 1.0)
