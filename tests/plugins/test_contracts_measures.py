"""Every bundled extractor and metric keeps its kind's contract."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from variant import Variant

import gantk
from gantk.testing import ExtractorContract, MetricContract


class TestPixels(ExtractorContract):
    plugin = "pixels"


class TestPixelsAveraged(Variant, ExtractorContract):
    plugin = "pixels:size=4"


class TestChannels(ExtractorContract):
    plugin = "channels:of=pixels"


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
