"""data cache, and data that is decoded when it is read, as their users meet them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantk_data import many

SMALL = ("--noise", "gaussian:dim=4", "--generator", "dcgan:width=4", "--discriminator", "dcgan:width=4")
SHORT = (
    "--set",
    "stages.game.length=6 steps",
    "--set",
    "stages.game.batch_size=4",
    "--set",
    "train.checkpoint_every=2",
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_what_is_cached_is_not_decoded_again(
    call, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    said = call("data", "cache", "photos:color=gray").worked().err
    assert re.search(rf"12 images of 1 × 16 × 16 decoded in {tmp_path}/cache", said)
    written = sorted(path.name for path in (tmp_path / "cache").rglob("*.npy"))
    assert written == ["images.npy", "kept.npy"]
    monkeypatch.setattr(many, "decode", lambda *_: pytest.fail("decoded again"))
    call("data", "cache", "photos:color=gray").worked()
    call("build", *SMALL, *SHORT, "--data", "photos:color=gray", "-o", "run").worked()
    call("train", "run").worked()


def test_other_data_has_nothing_to_decode_and_mistakes_are_one_line(call, photos: Path) -> None:
    assert "nothing to decode" in call("data", "cache", "digits").worked().err
    assert "nothing to decode" in call("data", "cache", "photos:cache=false").worked().err
    assert "there is no data 'fotos'" in call("data", "cache", "fotos").error(2)
    assert "skip=true needs cache=true" in call("data", "cache", "photos:skip=true,cache=false").error(2)
    call("data", "clean", "photos").error(2)


@pytest.mark.slow
def test_images_that_are_decoded_when_they_are_read_train_to_the_same_bits(call, photos: Path, tmp_path: Path) -> None:
    for name, option in (("once", ""), ("each", ",cache=false")):
        call("build", *SMALL, *SHORT, "--data", f"photos:color=gray{option}", "-o", name).worked()
        call("train", name).worked()
    weights = [(tmp_path / run / "checkpoints/step-0000006/model.safetensors").read_bytes() for run in ("once", "each")]
    assert weights[0] == weights[1]
    for path in (tmp_path / "each/checkpoints").glob("step-0000006/*"):
        os.remove(path)
    (tmp_path / "each/checkpoints/step-0000006").rmdir()
    assert "resuming from each/checkpoints/step-0000004" in call("train", "each").worked().err
    assert (tmp_path / "each/checkpoints/step-0000006/model.safetensors").read_bytes() == weights[0]
    Image.new("L", (16, 16)).save(photos / "3.png")
    refused = call("train", "each", "--set", "stages.game.length=8 steps")
    assert refused.code == 1
    assert "their content has changed" in refused.err, "by a sample of images, since nothing is decoded as a whole"
