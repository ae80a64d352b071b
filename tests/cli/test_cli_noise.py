"""noise: the picture and the table, for usual noise, noise of one number, and conditional models."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def test_noise_beside_gaussian_noise(trained: Path, tmp_path: Path, call) -> None:
    out = call("noise", "trained", "-n", "300", "-o", "new/noise.png").worked().out
    assert "noise of trained (gaussian)" in out
    assert "new/noise.png shows 300 vectors of 4 numbers of each" in out
    assert out.count("4 of 4") == 2, "Gaussian noise needs all of its components"
    assert Image.open(tmp_path / "new/noise.png").size[0] > 1000
    call("noise", "trained", "-o", "noise.svg").worked()
    assert "expected NAME.png or NAME.svg or NAME.pdf" in call("noise", "trained", "-o", "noise.txt").error(2)
    assert "--help" in call("noise", "trained", "-n", "1").error(2)


def test_noise_of_one_number_in_a_conditional_model(tmp_path: Path, call, small_build: list[str]) -> None:
    one = [word.replace("dim=4", "dim=1") for word in small_build]
    call(*one, "--condition", "class", "-o", "one").worked()
    call("train", "one").worked()
    out = call("noise", "one", "-n", "50").worked().out
    assert "50 vectors of 1 number of each" in out
    assert (tmp_path / "noise.png").exists()
