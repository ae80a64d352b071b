"""A run is named by its folder, by one of its checkpoints or by what lies in it; its steps can be looked into."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
import torch

import gantk as api

COMMANDS = {
    "sample": ["-n", "2", "-o", "x.png"],
    "interpolate": ["--rows", "1", "--steps", "2", "-o", "x.png"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_step_is_drawn_by_its_number_or_by_its_folder(command: str, trained: Path, tmp_path: Path, call) -> None:
    drawn = {}
    for name, words in {
        "newest": ["trained"],
        "step 8": ["trained", "--step", "8"],
        "step 4": ["trained", "--step", "4"],
        "folder": ["trained/checkpoints/step-0000004"],
        "both": ["trained/checkpoints/step-0000004", "--step", "4"],
        "weights": ["trained/checkpoints/step-0000004/model.safetensors"],
        "model.toml": ["trained/model.toml"],
        "checkpoints": ["trained/checkpoints"],
    }.items():
        call(command, *words, *COMMANDS[command]).worked()
        drawn[name] = (tmp_path / "x.png").read_bytes()
    assert drawn["newest"] == drawn["step 8"] == drawn["model.toml"] == drawn["checkpoints"]
    assert drawn["step 4"] == drawn["folder"] == drawn["both"] == drawn["weights"]
    assert drawn["step 4"] != drawn["step 8"]


def test_a_step_that_there_is_not(trained: Path, call) -> None:
    error = call("sample", "trained", "--step", "5").error(2)
    assert "trained has no checkpoint of step 5; available steps: 4, 8" in error
    error = call("sample", "trained/checkpoints/step-0000004", "--step", "8").error(2)
    assert "is the checkpoint of step 4, but --step is 8" in error
    assert "available steps: 4, 8" in call("sample", "trained/checkpoints/step-0000006").error(2)


def test_training_a_checkpoint_names_its_run(trained: Path, call) -> None:
    error = call("train", "trained/checkpoints/step-0000004").error(2)
    assert "gantk train trained resumes from the run's newest one" in error


def test_in_python(trained: Path) -> None:
    one = api.load(trained, step=4).sample(2, seed=0)
    assert torch.equal(one, api.load(trained / "checkpoints/step-0000004").sample(2, seed=0))
    assert not torch.equal(one, api.load(trained).sample(2, seed=0))


@pytest.mark.parametrize("near", ["runs/fotos", "runs/foto", "fotoz"])
def test_the_run_that_was_meant_is_named(near: str, untrained: Path, tmp_path: Path, call) -> None:
    (tmp_path / near).parent.mkdir(exist_ok=True)
    untrained.rename(tmp_path / near)
    error = call("train", "fotos").error(1)
    assert "fotos is not a run" in error
    assert error.endswith(f"did you mean {near}?")


def test_a_folder_of_runs_is_no_run(untrained: Path, tmp_path: Path, call) -> None:
    (tmp_path / "things").mkdir()
    untrained.rename(tmp_path / "things/first")
    assert "the runs in it are things/first." in call("sample", "things").error(1)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
    ids=["UTF-8", "UTF-16 little", "UTF-16 big"],
)
def test_a_byte_order_mark_is_read(mark: bytes, encoding: str, trained: Path, call) -> None:
    file = trained / "model.toml"
    file.write_bytes(mark + file.read_text().encode(encoding))
    log = trained / "log.jsonl"
    log.write_bytes(codecs.BOM_UTF8 + log.read_bytes())
    call("sample", "trained", "-n", "1").worked()
    call("train", "trained").worked()
    assert len(log.read_text().splitlines()) == 8
