"""features: what a discriminator responds to, as a picture and a table, and models that have none."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image


def test_features_of_a_trained_discriminator_beside_an_untrained_one(trained: Path, tmp_path: Path, call) -> None:
    done = call("features", "trained", "-n", "3", "--top", "2", "--subset", "50", "-o", "new/f.png").worked()
    assert re.search(r"^trained +\S+ +\S+$", done.out, re.MULTILINE)
    assert re.search(r"^untrained +\S+ +\S+$", done.out, re.MULTILINE)
    assert "responses of 3 features to 50 images" in done.out
    width, height = Image.open(tmp_path / "new/f.png").size
    assert width > 2 * height, "two blocks of four columns and three rows"
    assert "--top asks for 9" in call("features", "trained", "--top", "9", "--subset", "4").error(2)


def test_models_without_such_features_are_refused(tmp_path: Path, call, small_build: list[str]) -> None:
    call(*small_build, "--condition", "class", "-o", "by-class").worked()
    call("train", "by-class").worked()
    assert "is conditional: choose the run of an unconditional GAN" in call("features", "by-class").error(2)
