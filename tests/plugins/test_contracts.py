"""Every bundled plugin keeps its kind's contract, and none is left out."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import gantk
from gantk.options import parse_part
from gantk.parts import ImageShape
from gantk.registry import plugins
from gantk.testing import (
    AddonContract,
    ConditionContract,
    DataContract,
    DiscriminatorContract,
    ExtractorContract,
    GeneratorContract,
    LossContract,
    MetricContract,
    NoiseContract,
    RefinerContract,
)
from gantk.testing.base import PluginContract


class Variant:
    """Other options of a plugin that another class tests: its docstring and its options' types are the same."""

    test_has_a_first_line = None
    test_every_option_is_documented = None
    test_every_option_has_a_type = None
    test_every_default_is_of_its_type = None


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


class TestPixels(ExtractorContract):
    plugin = "pixels"


class TestPixelsAveraged(Variant, ExtractorContract):
    plugin = "pixels:size=4"


class TestDiscriminatorFeatures(ExtractorContract):
    plugin = "discriminator:run=..."

    @pytest.fixture(autouse=True)
    def _run(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run, built once for all tests."""
        run = tmp_path_factory.getbasetemp() / "judged"
        if not run.exists():
            parts = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
            gantk.build(data="digits", **parts).save(run)
        monkeypatch.setattr(type(self), "plugin", f"discriminator:run='{run}'")


class TestEfficientNetLite0(ExtractorContract):
    plugin = "efficientnet-lite0"
    shapes = ((1, 28, 28), (3, 40, 30))

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("efficientnet_lite_pytorch", reason="gantk[imagenet] is not installed")


def _needs_fidelity() -> Any:
    try:
        return importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except Exception as error:  # noqa: BLE001  (torchvision for another torch fails in any way)
        pytest.skip(f"torch-fidelity, of gantk[fid], cannot be imported: {error}")


class TestInception(ExtractorContract):
    plugin = "inception:weights=..."
    shapes = ((1, 28, 28), (3, 40, 30))

    @pytest.fixture(autouse=True)
    def _drawn(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        """Weights that were drawn, in a file, once for all tests."""
        fidelity = _needs_fidelity()
        path = tmp_path_factory.getbasetemp() / "inception.safetensors"
        if not path.exists():

            class Drawn(fidelity.FeatureExtractorInceptionV3):  # type: ignore[misc, name-defined]
                def load_state_dict(self, *_: Any) -> None:
                    """It keeps those that it drew."""

            empty = tmp_path_factory.mktemp("empty") / "weights.pth"
            torch.save({}, empty)
            save_file(Drawn("drawn", ["2048"], str(empty)).state_dict(), path)
        monkeypatch.setattr(type(self), "plugin", f"inception:weights='{path}'")


class TestDINOv2(ExtractorContract):
    plugin = "dinov2:model=small,download=true"
    shapes = ((3, 32, 32),)

    @pytest.fixture(autouse=True)
    def _downloaded(self) -> None:
        _needs_fidelity()
        if not list(Path(torch.hub.get_dir()).glob("checkpoints/dinov2_vits14*")):
            pytest.skip("DINOv2 is not in torch's cache, and tests download nothing")


class TestClassifier(ExtractorContract):
    plugin = "classifier:data=digits,epochs=1,width=2,size=14"

    @pytest.fixture(autouse=True)
    def _kept(self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is trained once for all tests."""
        monkeypatch.setenv("GANTK_CACHE", str(tmp_path_factory.getbasetemp() / "classifiers"))


class TestFrechetDistance(MetricContract):
    plugin = "frechet"


class TestKernelMetric(MetricContract):
    plugin = "kernel-distance:subsets=5,size=10"


class TestPRDC(MetricContract):
    plugin = "prdc:k=2"


class TestMemorization(MetricContract):
    plugin = "memorization"


class TestScoreOfClasses(MetricContract):
    plugin = "class-score:splits=4"


class TestConfidence(MetricContract):
    plugin = "confidence"


class TestClasses(MetricContract):
    plugin = "classes"


class TestAccuracy(MetricContract):
    plugin = "accuracy"


class TestDiversityOfPixels(MetricContract):
    plugin = "diversity"


class TestRelativeDiversity(MetricContract):
    plugin = "rdd"


class TestMultiScaleSimilarity(MetricContract):
    plugin = "ms-ssim:pairs=70"


class TestMultiScaleSimilarityWithinClasses(Variant, MetricContract):
    plugin = "ms-ssim:pairs=20,within_classes=true"


class TestNearestNeighborAccuracy(MetricContract):
    plugin = "nearest-neighbor-accuracy"


class TestSVMAccuracy(MetricContract):
    plugin = "svm"


class TestIntrinsicDimension(MetricContract):
    plugin = "intrinsic-dimension:k=5"


class TestFID(MetricContract):
    plugin = "fid"


class TestKID(MetricContract):
    plugin = "kid:subsets=5"


class TestInceptionScore(MetricContract):
    plugin = "inception-score"


class TestReconstruction(MetricContract):
    plugin = "reconstruction:images=20"


class TestDigits(DataContract):
    plugin = "digits"


class TestSubset(DataContract):
    plugin = "subset:of=digits,images=20"


def _contracts(base: type[PluginContract]) -> set[str]:
    """Names of the plugins that some class of a module beside this one tests."""
    modules = [importlib.import_module(path.stem) for path in Path(__file__).parent.glob("test_*.py")]
    own = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    here = {module.__name__ for module in modules}
    contracts = [each for each in own if issubclass(each, base) and each.__module__ in here and hasattr(each, "plugin")]
    return {parse_part(contract.plugin)[0] for contract in contracts}


@pytest.mark.parametrize(
    "base",
    [
        NoiseContract,
        GeneratorContract,
        DiscriminatorContract,
        LossContract,
        RefinerContract,
        AddonContract,
        ExtractorContract,
    ],
)
def test_no_bundled_plugin_is_without_its_contract(base: type[PluginContract]) -> None:
    bundled = {plugin.name for plugin in plugins(base.kind) if plugin.package == "gantk"}
    assert bundled - _contracts(base) == set(), (
        "add a class of three lines for each of these, here or in a module beside this one"
    )
    assert bundled, f"gantk registers no {base.kind}: is it installed?"
