"""neighbors: the picture, the verdict, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gantk as api
from gantk.data import to_uint8


def test_samples_beside_their_nearest_training_images(trained: Path, tmp_path: Path, call) -> None:
    arguments = ("-n", "3", "-k", "2", "--samples", "40", "--seed", "5")
    out = call("neighbors", "trained", *arguments, "-o", "new/near.png").worked().out
    assert "new/near.png shows 3 samples and the nearest training images" in out
    assert "of 40 samples are as near to a training image as that image is to any other" in out
    drawn = np.array(Image.open(tmp_path / "new/near.png"))
    samples = to_uint8(api.load(trained).sample(3, seed=5))[:, 0].numpy()
    for row in range(3):
        top = 22 + row * (84 + 16 + 6)
        assert np.abs(drawn[top : top + 84 : 3, 6 : 6 + 84 : 3, 0].astype(int) - samples[row]).max() <= 1
    call("neighbors", "trained", *arguments, "-o", "again.png").worked()
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "new/near.png").read_bytes()


def test_features_of_an_extractor(trained: Path, tmp_path: Path, call) -> None:
    arguments = ("-n", "2", "--samples", "20", "--extractor", "pixels:size=4", "--data", "digits")
    out = call("neighbors", "trained", *arguments).worked().out
    assert out.count("features of pixels:size=4") == 2
    assert (tmp_path / "neighbors.png").exists()


REFUSED = {
    "n=0": (["-n", "0"], 2, "gantk neighbors --help"),
    "k=0": (["-k", "0"], 2, "gantk neighbors --help"),
    "too large": (["-n", "90000"], 2, "the limit is 89,478,485 pixels"),
    "npz": (["-o", "a.npz"], 2, "expected NAME.png"),
    "extractor": (["-n", "1", "--samples", "1", "--extractor", "pixel"], 2, "Did you mean 'pixels'"),
    "no data": (["--data", "/gone/photos"], 1, "/gone/photos"),
    "k=10001": (
        ["-k", "10001", "--samples", "1", "-n", "1"],
        2,
        "at least 10001 training images are needed, but there are 10000",
    ),
}


@pytest.mark.parametrize(("arguments", "code", "mend"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(
    arguments: list[str], code: int, mend: str, trained: Path, tmp_path: Path, call, contents
) -> None:
    before = contents(tmp_path)
    assert mend in call("neighbors", "trained", *arguments).error(code)
    assert contents(tmp_path) == before


def test_data_that_has_moved_is_named_with_data(trained: Path, call) -> None:
    file = trained / "model.toml"
    file.write_text(file.read_text().replace('plugin = "gantk:digits"', 'plugin = "gantk:folder"\npath = "/gone"'))
    error = call("neighbors", "trained", "--samples", "1").error(1)
    assert "/gone" in error
    assert "name it with --data" in error
