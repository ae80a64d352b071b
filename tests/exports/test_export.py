"""What is exported is read by other programs, gives the model's images, and can be drawn without gantk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

import gantk
from gantk.data import ArraySource
from gantk.errors import OptionError, UsageError, WorkError
from gantk.exports import program
from gantk.exports.program import Program, exported, furthest

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 1, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional model with moving averages of its weights."""
    place = tmp_path_factory.mktemp("exports") / "run"
    data = ArraySource(IMAGES, labels=np.arange(24) % 3)
    parts = {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4", "refiner": "denoiser"}
    settings = {"stages.game.length": "2 steps", "stages.game.batch_size": 8, "train.ema": 0.5}
    model = gantk.build("dcgan", data=data, condition="class", settings=settings, **parts)
    gantk.train(model, place)
    return place


def drawn_by(folder: Path) -> np.ndarray:
    """The picture of the script, in a process that cannot import gantk."""
    blocked = "import sys; sys.modules['gantk'] = None; import runpy; runpy.run_path('draw.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", blocked], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(folder / "grid.png"))


def grid_of(images: Tensor) -> np.ndarray:
    pixels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    rows = [np.concatenate(list(row), axis=2) for row in np.split(pixels, 8)]
    return np.concatenate(rows, axis=1)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name"), [("onnx", "generator.onnx"), ("torch-export", "generator.pt2")])
def test_a_program_draws_the_same_images_without_gantk(form: str, name: str, run: Path, tmp_path: Path) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    found = gantk.export(run, tmp_path / "out", format=form)
    assert found.difference is not None
    assert found.difference < 1e-5
    files = sorted(file.name for file in found.folder.iterdir())
    assert files == sorted([name, "README.md", "conditions.npy", "draw.py", "model.toml", "noise.npy"])
    model = gantk.load(run)
    classes = np.load(found.folder / "conditions.npy").argmax(1)
    images = model.sample(64, seed=0, condition=[str(each) for each in classes])
    assert sorted(set(classes)) == [0, 1, 2]
    assert np.abs(drawn_by(found.folder).astype(int) - grid_of(images).astype(int)).max() <= 1
    card = (found.folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: gantk\n")
    assert "from `noise` [N, 100] and `condition` [N, 3], for any N" in card
    assert "for 2 steps" in card


def test_a_folder_for_the_hub_is_read_back(run: Path, tmp_path: Path) -> None:
    found = gantk.export(run, tmp_path / "hub", format="hub")
    assert torch.equal(gantk.load(found.folder).sample(3, seed=1), gantk.load(run).sample(3, seed=1))
    assert "gantk.load(" in (found.folder / "README.md").read_text()


def test_the_weights_are_the_averaged_ones(run: Path, tmp_path: Path) -> None:
    found = gantk.export(run, tmp_path / "out", format="safetensors", refine=False)
    weights = safetensors.torch.load_file(found.folder / "generator.safetensors")
    model = gantk.load(run)
    expected = {f"generator.{name}": value for name, value in model.sampler("generator").state_dict().items()}
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert "weights of the generator by name" in (found.folder / "README.md").read_text()


def test_a_network_that_has_grown_is_exported_as_it_is() -> None:
    model = gantk.build("progan-cifar10", data=IMAGES.repeat(3, 1), generator="progan:fmap_base=32,fmap_max=8")
    model.generator.growth.set(0, 1.0)  # type: ignore[operator,union-attr]
    whole = Program(model)
    read = exported(whole, model).module()
    assert furthest(lambda inputs: read(*inputs.values()), whole, model, True) < 1e-5
    assert "depth_buffer" in dict(whole.generator.growth.named_buffers())  # type: ignore[operator,union-attr]


def test_what_cannot_be_exported_is_told_and_nothing_is_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match=r"there is no format 'onx'\. Did you mean 'onnx'"):
        gantk.export(run, tmp_path / "out", format="onx")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="full exists and is not an empty folder: choose another one"):
        gantk.export(run, tmp_path / "full", format="hub")
    from click.testing import CliRunner

    from gantk.cli.export import command

    refused = CliRunner().invoke(command, [str(run), "--format", "ONNX", "-o", str(tmp_path / "out")])
    assert str(refused.exception).startswith("there is no format 'ONNX'")
    monkeypatch.setattr(program, "TOLERANCE", -1.0)
    with pytest.raises(WorkError, match=r"images differ from the model's by .*; at most -1 is expected, so nothing"):
        gantk.export(run, tmp_path / "out", format="torch-export")
    assert not (tmp_path / "out").exists()


def test_a_program_of_nan_differs() -> None:
    model = gantk.build("dcgan", data=IMAGES, generator="dcgan:width=4", discriminator="dcgan:width=4")

    def nowhere(inputs: Mapping[str, Tensor]) -> Tensor:
        return torch.full((len(inputs["noise"]), *model.image_shape), torch.nan)

    with pytest.raises(WorkError, match="images differ from the model's by nan"):
        furthest(nowhere, Program(model), model, True)


class Deciding(gantk.Generator):
    """Images that depend on the values of the noise, by a decision in Python."""

    def __init__(self, noise_dim: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, noise: Tensor) -> Tensor:
        sign = 1.0 if noise.sum() > 0 else -1.0
        return (sign * self.scale * noise[:, :1, None, None]).expand(-1, *self.image_shape)


def test_a_decision_in_python_is_told() -> None:
    model = gantk.build("dcgan", data=IMAGES, generator=Deciding)
    with pytest.raises(WorkError, match=r"this model's generator cannot be traced by torch\.export: "):
        exported(Program(model), model)
