"""Every bundled noise source, network, loss, condition and data source keeps its kind's contract."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from variant import Variant

from gantk.parts import ImageShape
from gantk.testing import (
    ConditionContract,
    DataContract,
    DiscriminatorContract,
    GeneratorContract,
    LossContract,
    NoiseContract,
    RefinerContract,
)


class TestGaussian(NoiseContract):
    plugin = "gaussian"


class TestUniform(NoiseContract):
    plugin = "uniform:dim=3"


class TestSphere(NoiseContract):
    plugin = "sphere:dim=3"


class TestDecoderEncoder(NoiseContract):
    plugin = "de:dim=8,autoencoder='vae:width=2'"


class TestDecoderEncoderMean(Variant, NoiseContract):
    plugin = "de:dim=8,sample=false,autoencoder='vae:width=2'"


class TestClassCondition(ConditionContract):
    plugin = "class"


class TestVectorCondition(ConditionContract):
    plugin = "vector"
    label_dim = 3
    told = "0,0.5,1"


class TestMLPGenerator(GeneratorContract):
    plugin = "gan:widths=[32, 16]"


class TestDCGANGenerator(GeneratorContract):
    plugin = "dcgan:width=8"


class TestDEGANGenerator(GeneratorContract):
    plugin = "degan:fc=64,widths=[16, 8]"


class TestVAE(GeneratorContract):
    plugin = "vae:width=8"


class TestVAEOnTheSphere(Variant, GeneratorContract):
    plugin = "vae:width=8,sphere=true"


class TestAGEGenerator(GeneratorContract):
    plugin = "age:width=4"


class TestAGEGeneratorOffTheSphere(Variant, GeneratorContract):
    plugin = "age:width=4,sphere=false"


class TestMLPDiscriminator(DiscriminatorContract):
    plugin = "gan:widths=[32, 16]"


class TestDCGANDiscriminator(DiscriminatorContract):
    plugin = "dcgan:width=8"


class TestDCGANDiscriminatorPerSample(Variant, DiscriminatorContract):
    plugin = "dcgan:width=8,norm=layer,code=true"


class TestDEGANDiscriminator(DiscriminatorContract):
    plugin = "degan:widths=[8, 16],fc=32"


class TestDEGANDiscriminatorPerSample(Variant, DiscriminatorContract):
    plugin = "degan:widths=[8, 16],fc=32,norm=instance,code=true"


class TestMinimax(LossContract):
    plugin = "minimax"


class TestNonSaturating(LossContract):
    plugin = "nonsaturating"


class TestWasserstein(LossContract):
    plugin = "wasserstein"


class TestWassersteinGP(LossContract):
    plugin = "wgan-gp"


class TestVariationalBound(LossContract):
    plugin = "vae"


class TestVariationalBoundOfBits(Variant, LossContract):
    plugin = "vae:reconstruction=bce,beta=0.5"


class TestCodeLoss(LossContract):
    plugin = "code"


class TestCodeLossInLoops(Variant, LossContract):
    plugin = "code:p=1,loops=3"


class TestAGELoss(LossContract):
    plugin = "age"


class TestAGELossOtherwise(Variant, LossContract):
    plugin = "age:scale=variance,direction=pq,code_distance=l1,image_distance=l2"


class TestHiddenSpace(LossContract):
    plugin = "hidden"


class TestHiddenSpaceOfBoth(Variant, LossContract):
    plugin = "hidden:players=both,layer=0"


class TestAEGANGenerator(GeneratorContract):
    plugin = "aegan:width=4"

    def _outputs(self, part: Any, shape: ImageShape) -> list[Tensor]:
        return [*super()._outputs(part, shape), part.encoder(self._images(shape))]


class TestAEGANDiscriminator(DiscriminatorContract):
    plugin = "aegan:width=4"


class TestAEGANDiscriminatorPerSample(Variant, DiscriminatorContract):
    plugin = "aegan:width=4,norm=layer,norm_first=true,code=true"


class TestDenoiser(RefinerContract):
    plugin = "denoiser:width=2"


class TestDenoiserWithSkips(Variant, RefinerContract):
    plugin = "denoiser:width=2,skips=true,loss=wgan-gp,discriminator='dcgan:width=2'"


class TestProGANGenerator(GeneratorContract):
    plugin = "progan:fmap_base=256,fmap_max=16"

    def _outputs(self, part: Any, shape: ImageShape) -> list[Tensor]:
        return [part.images.drawn(self._noise(), depth) for depth in range(len(part.growth.sizes))]


class TestProGANDiscriminator(DiscriminatorContract):
    plugin = "progan:fmap_base=256,fmap_max=16"

    def _judged(self, part: Any, shape: ImageShape) -> list[Tensor]:
        return [torch.rand(4, shape[0], *size) for size in part.growth.sizes]


class TestProGANDiscriminatorPerSample(Variant, TestProGANDiscriminator):
    plugin = "progan:fmap_base=256,fmap_max=16,batch_std=false,code=true"


class TestDigits(DataContract):
    plugin = "digits"


class TestSubset(DataContract):
    plugin = "subset:of=digits,images=20"


class TestStacked(DataContract):
    plugin = "stacked:of=digits,images=20"
