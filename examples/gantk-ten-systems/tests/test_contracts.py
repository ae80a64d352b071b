"""Every part keeps to its kind's contract."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from gantk.parts import Discriminator, ImageShape, Loss, Verdict
from gantk.testing import (
    AddonContract,
    DiscriminatorContract,
    GeneratorContract,
    LossContract,
    MetricContract,
    NoiseContract,
)


class TestMixture(NoiseContract):
    plugin = "mini-mixture:dim=3,components=4"


class TestPyramidGenerator(GeneratorContract):
    plugin = "mini-pyramid:width=2,scales=3"

    def _outputs(self, part: Any, shape: ImageShape) -> list[Tensor]:
        return [*super()._outputs(part, shape), *part.pyramid(self._noise())]


class TestProjection(DiscriminatorContract):
    plugin = "mini-projection:width=4"


class TestProjectionPerSample(DiscriminatorContract):
    plugin = "mini-projection:width=4,norm=layer"


class TestAutoencoding(DiscriminatorContract):
    plugin = "mini-autoencoding:width=4"


class TestPyramidDiscriminator(DiscriminatorContract):
    plugin = "mini-pyramid:scales=3,of='gan:widths=[8]'"

    def _judged(self, part: Any, shape: ImageShape) -> list[Tensor]:
        return [adaptive_avg_pool2d(self._images(shape), size) for size in part.sizes]


class _Negative(Discriminator):
    """Scores below zero, as reconstruction errors with a minus sign are."""

    def __init__(self, inner: Discriminator) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Verdict:
        logits = cast(Tensor, self.inner(images).logits)
        return Verdict(logits=-logits.exp())


class TestBEGAN(LossContract):
    plugin = "mini-began"

    def _toys(self, loss: Loss) -> Any:
        toys = super()._toys(loss)
        toys.discriminator = _Negative(toys.discriminator)
        return toys


class TestR3GAN(LossContract):
    plugin = "mini-r3gan"


class TestR3GANLazily(LossContract):
    plugin = "mini-r3gan:every=4"


class TestLearnedSimilarity(LossContract):
    plugin = "mini-vaegan"


class TestDiffAugment(AddonContract):
    plugin = "mini-diffaugment"


class TestADA(AddonContract):
    plugin = "mini-ada"


class TestSliced(MetricContract):
    plugin = "sliced:directions=16"
