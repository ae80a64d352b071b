"""reconstruct: the picture, the errors that it prints, and what is refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gantk as api
from gantk.construct import construct
from gantk.data import to_float
from gantk.measures.reconstruction import generated_again, generated_errors, held_out, image_errors
from gantk.seeds import rng_for

PARTS = {"noise": "gaussian:dim=4", "generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
SETTINGS = {"length": "4 steps", "batch_size": 8}


def train(run: Path, recipe: str = "dcgan", stage: str = "game", **parts: str) -> Path:
    settings = {f"stages.{stage}.{name}": value for name, value in SETTINGS.items()}
    model = api.build(recipe, data="digits", settings={**settings, "train.accelerator": "cpu"}, **parts)
    api.train(model, run=run)
    return run


@pytest.fixture(scope="session")
def coded_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run whose discriminator reads codes; copy it before you change it."""
    return train(tmp_path_factory.mktemp("runs") / "coded", **PARTS, loss="code")


@pytest.fixture
def coded(coded_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(coded_run, tmp_path / "coded"))


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as drawn:
        assert (drawn.format, drawn.mode) == ("PNG", "RGB")
        return np.array(drawn)


def tile(drawn: np.ndarray, row: int, column: int, left: int = 4) -> np.ndarray:
    """A tile of 28 pixels; a wider gap follows the first `left` columns."""
    x = column * 30 + 2 + (14 - 2 + 2 if column >= left else 0)
    return drawn[row * 30 + 2 : row * 30 + 30, x : x + 28]


def grey(images: torch.Tensor) -> np.ndarray:
    return np.round((images.numpy()[:, 0] + 1) * 127.5)


def numbers(line: str) -> list[float]:
    """The numbers that end a line of the table."""
    return [float(cell.replace(",", "")) for cell in re.split(r"  +", line)[-3:]]


def near(drawn: np.ndarray, expected: np.ndarray) -> bool:
    return all(np.abs(drawn[..., c].astype(float) - expected).max() <= 1 for c in range(3))


@pytest.mark.slow
def test_the_picture_and_the_errors(coded: Path, tmp_path: Path, gantk) -> None:
    done = gantk("reconstruct", "coded", "-n", "3", "--subset", "40", "--seed", "5", "-o", "new/out.png").worked()
    model = api.load(coded)
    drawn = picture(tmp_path / "new/out.png")
    assert drawn.shape == (3 * 30 + 2, 4 * 30 + 2 + 12 + 3 * 30 + 2, 3)
    ours = generated_again(model, 3, seed=5)
    data = held_out(model.built.spec).source
    indices = torch.randperm(len(data), generator=rng_for(5, "subset"))[:40].tolist()
    images = to_float(data.images(indices))
    for row in range(3):
        assert near(tile(drawn, row, 1), grey(ours.images)[row])
        assert near(tile(drawn, row, 3), grey(ours.again)[row])
        assert near(tile(drawn, row, 4), grey(images)[row])
    lines = done.out.splitlines()
    assert lines[1].startswith("training images (none are held out), digits ")
    errors, own = image_errors(model, [images]), generated_errors(model, 40, seed=5)
    assert errors.mean_image is not None
    rows = (errors.again, errors.mean_image, own.images, own.codes, own.silence)
    for line, error in zip(lines[1:6], rows, strict=True):
        assert numbers(line) == pytest.approx([40, error.absolute, error.squared], abs=6e-5)
    assert "new/out.png shows, from left to right: noise, image generated from it, its code" in done.out


def test_same_seed_same_bytes(coded: Path, tmp_path: Path, call) -> None:
    said = {}
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        options = ("--degrade", "noise=0.3", "--degrade", "mask=0.25", "--seed", seed, "--subset", "4")
        said[name] = call("reconstruct", "coded", *options, "-o", f"{name}.png").worked().out
    first, same, other = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert first == same
    assert said["a"].replace("a.png", "b.png") == said["b"]
    assert first != other


def test_degraded_images_have_a_column_and_a_line(coded: Path, tmp_path: Path, call) -> None:
    options = ("-n", "2", "--subset", "2", "--degrade", "downscale=28", "-o", "out.png")
    done = call("reconstruct", "coded", *options).worked()
    drawn = picture(tmp_path / "out.png")
    assert drawn.shape[1] == 4 * 30 + 2 + 12 + 4 * 30 + 2
    assert len(np.unique(tile(drawn, 0, 5))) == 1, "a single gray is left"
    assert len(np.unique(tile(drawn, 0, 4))) > 1
    assert "  degraded images (downscale=28) " in done.out
    assert "image, degraded image, its code, image generated from the code" in done.out


def test_picture_files_and_the_data_set_beside_them(coded: Path, tmp_path: Path, call) -> None:
    digits = construct("data", "digits")
    for index in (0, 1):
        Image.fromarray(digits.images([index])[0, 0].numpy()).save(tmp_path / f"{index}.png")
    Image.new("RGBA", (90, 40), (255, 0, 0, 0)).save(tmp_path / "wide.webp")
    files = ("1.png", "0.png", "wide.webp")
    done = call("reconstruct", "coded", *files, "-n", "1", "--subset", "5", "-o", "out.png").worked()
    drawn = picture(tmp_path / "out.png")
    assert drawn.shape[0] == 3 * 30 + 2, "every file has its row"
    for row, index in enumerate((1, 0)):
        assert near(tile(drawn, row, 4), digits.images([index])[0, 0].numpy())
    assert near(tile(drawn, 2, 4), np.full((28, 28), 255)), "transparent is white"
    assert (tile(drawn, 2, 1) == 255).all(), "the noise has one row"
    assert done.out.splitlines()[1].startswith("3 picture files ")
    assert done.out.splitlines()[3].startswith("training images (none are held out), digits ")


def test_picture_files_do_without_the_data_set(coded: Path, tmp_path: Path, call) -> None:
    Image.new("L", (28, 28)).save(tmp_path / "x.png")
    file = coded / "model.toml"
    file.write_text(file.read_text().replace('plugin = "gantk:digits"', 'plugin = "gantk:folder"\npath = "/gone"'))
    done = call("reconstruct", "coded", "x.png", "--subset", "2").worked()
    assert "not measured: /gone: no such folder" in done.out
    assert "no such folder" in call("reconstruct", "coded", "--subset", "2").error(1)
    Image.new("RGB", (50, 30), "blue").save(tmp_path / "y.png")
    files = "files:paths=['x.png','y.png'],size=28,color=gray"
    done = call("reconstruct", "coded", "--data", files, "--subset", "2").worked()
    assert numbers(done.out.splitlines()[1])[0] == 2


@pytest.mark.parametrize(
    ("recipe", "stage", "parts"),
    [
        ("vae", "fit", {"noise": "gaussian:dim=4", "generator": "vae:width=4"}),
        ("age", "game", {"noise": "sphere:dim=4", "generator": "age:width=4"}),
    ],
)
def test_a_generator_with_an_encoder_reconstructs(
    recipe: str, stage: str, parts: dict[str, str], tmp_path: Path, call
) -> None:
    train(tmp_path / "run", recipe, stage, **parts)
    assert "their codes" in call("reconstruct", "run", "--subset", "3").worked().out
    assert picture(tmp_path / "reconstruction.png").shape[0] == 8 * 30 + 2


def test_an_encoder_that_nobody_trains_is_not_read(tmp_path: Path, call) -> None:
    train(tmp_path / "run", **{**PARTS, "generator": "vae:width=4"})
    error = call("reconstruct", "run").error(2)
    assert "its generator encodes images with generator.encoder, which no player moves; build with --loss code" in error


def test_a_model_without_codes_names_the_mend(trained: Path, tmp_path: Path, call) -> None:
    error = call("reconstruct", "trained").error(2)
    assert "trained: this model cannot encode images" in error
    assert "--loss code" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trained"]


def test_nothing_is_drawn_of_a_run_never_trained(untrained: Path, call) -> None:
    assert "has not been trained yet: run gantk train untrained first" in call("reconstruct", "untrained").error(1)
    assert "is not a run" in call("reconstruct", "gone").error(1)


REFUSED = {
    "tif": (["-o", "out.tif"], 2, "expected NAME.png"),
    "npz": (["-o", "out.npz"], 2, "expected NAME.png"),
    "folder": (["-o", "folder.png"], 2, "is a folder; expected a file"),
    "proc": (["-o", "/proc/out.png"], 1, "/proc/out.png cannot be written"),
    "n=0": (["-n", "0"], 2, "gantk reconstruct --help"),
    "subset=0": (["--subset", "0"], 2, "--subset"),
    "seed=-1": (["--seed", "-1"], 2, "--seed"),
    "degrade word": (["--degrade", "noise"], 2, "--degrade noise: expected a degradation such as noise=0.3"),
    "degrade kind": (["--degrade", "nose=1"], 2, "Did you mean 'noise'"),
    "degrade number": (["--degrade", "mask=2"], 2, "mask is above 0 and below 1, not '2'"),
    "degrade size": (["--degrade", "downscale=29"], 2, "the shorter side of these images has 28 pixels"),
    "missing": (["gone.png"], 1, "gone.png: cannot be read (No such file or directory)"),
    "text": (["text.png"], 1, "text.png: not an image"),
    "folder for files": (["folder.png"], 1, "folder.png: a folder; expected an image file"),
    "empty name": ([""], 2, "give a path"),
    "data": (["--data", "digit"], 2, "Did you mean 'digits'"),
    "data option": (["--data", "digits:split=test"], 2, "digits"),
    "data shape": (["--data", "folder:path=pictures"], 1, "size=[28,28],color=gray"),
    "option": (["--degrad", "noise=1"], 2, "--degrade"),
}


@pytest.mark.parametrize(("arguments", "code", "mend"), REFUSED.values(), ids=REFUSED)
def test_odd_requests_are_refused(
    arguments: list[str], code: int, mend: str, coded: Path, tmp_path: Path, call, contents
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (5, 4)).save(tmp_path / "pictures/a.png")
    before = contents(tmp_path)
    assert mend in call("reconstruct", "coded", *arguments).error(code)
    assert contents(tmp_path) == before
