"""train: what it says, what stops it, what it does with damaged runs, and that the mend which it names works."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forked import Forked
from PIL import Image

GONE = "gone"


def test_lines_where_nobody_watches(trained_run: Path) -> None:
    lines = (trained_run.parent / "train.err").read_text()
    assert "\r" not in lines
    reports = [line for line in lines.splitlines() if line.startswith("game ")]
    assert [line.split()[1] for line in reports] == [f"{step}/8" for step in range(1, 9)]
    for word in ("discriminator ", "generator ", " images/s ", " left"):
        assert all(word in line for line in reports)


@pytest.mark.slow
def test_a_bar_on_a_terminal(untrained: Path, tmp_path: Path, start) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    training = start("train", "untrained", cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux says that the other end has closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    out = training.communicate(timeout=60)[0]
    assert training.returncode == 0
    text = shown.decode()
    assert "\r" in text
    assert "game: 100%" in text
    assert "images/s" in text
    assert "generator" in text
    assert "game 1/8" not in text
    assert out.decode().endswith("generate images with: gantk sample untrained -n 64 -o grid.png\n")


def test_when_the_time_is_over_it_is_saved_and_can_be_resumed(untrained: Path, trained: Path, call) -> None:
    once = call("train", "untrained", "--time", "0.001 s").worked()
    assert [path.name for path in untrained.glob("checkpoints/*")] == ["step-0000001"]
    assert "' is saved after 1 of " in once.err
    assert once.err.splitlines()[-1].endswith("resume with: gantk train untrained")
    assert not once.out
    assert call("train", "untrained").worked().out.startswith("trained; generate images")
    for name in ("model.safetensors", "optimizers.safetensors"):
        at = f"checkpoints/step-0000008/{name}"
        assert (untrained / at).read_bytes() == (trained / at).read_bytes()
    assert "time is one number with its unit, such as 30min" in call("train", "untrained", "--time", "soon").error(2)


def test_a_finished_run_is_finished(trained: Path, call, contents) -> None:
    weights = (trained / "checkpoints/step-0000008/model.safetensors").read_bytes()
    done = call("train", "trained").worked()
    assert "resuming from trained/checkpoints/step-0000008" in done.err
    assert done.out == "trained; generate images with: gantk sample trained -n 64 -o grid.png\n"
    assert (trained / "checkpoints/step-0000008/model.safetensors").read_bytes() == weights


def test_starting_over_ends_in_the_same_place(trained: Path, call) -> None:
    weights = (trained / "checkpoints/step-0000008/model.safetensors").read_bytes()
    (trained / "samples" / "step-0000099.png").write_text("old")
    done = call("train", "trained", "--fresh").worked()
    assert "resuming" not in done.err
    assert (trained / "checkpoints/step-0000008/model.safetensors").read_bytes() == weights
    assert [path.name for path in (trained / "samples").iterdir()] == ["step-0000008.png"]
    assert (trained / "old-1/samples/step-0000099.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_stopping_saves_and_going_on_finishes(
    number: signal.Signals, small_build: list[str], tmp_path: Path, call, start: Callable[..., Forked]
) -> None:
    more = ("--set", "stages.game.length=300 steps", "--set", "train.checkpoint_every=1000")
    call(*small_build, *more, "-o", "my run").worked()
    training = start("train", "my run", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert training.stderr is not None
    for line in training.stderr:
        if line.startswith(b"game 5/300"):
            training.send_signal(number)
            break
    err = training.communicate(timeout=60)[1].decode()
    assert training.returncode == 128 + number
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith(f"gantk: stopped by {number.name} after step ")
    assert "resume with: gantk train" in last
    step = int(last.partition("after step ")[2].partition(",")[0])
    assert 5 <= step < 300
    assert [path.name for path in (tmp_path / "my run/checkpoints").iterdir()] == [f"step-{step:07d}"]
    again = call("train", "my run").worked()
    assert f"resuming from my run/checkpoints/step-{step:07d}" in again.err
    assert f"game: 300 steps of 8 images, {step} done" in again.err
    entries = [json.loads(line) for line in (tmp_path / "my run/log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == list(range(1, 301))
    assert (tmp_path / "my run/checkpoints/step-0000300").is_dir()


@pytest.mark.parametrize("command", ["train", "sample", "interpolate"])
def test_what_is_no_run(command: str, tmp_path: Path, call) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for name in ("nowhere", "file", "folder"):
        error = call(command, name).error(1)
        assert f"{name} is not a run" in error
        assert ("create one with gantk build" if name == "file" else f"gantk build -o {name}") in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert "give a path" in call(command, "").error(2)


DAMAGE: dict[str, tuple[str, str, int, str]] = {
    "not TOML": ("seed = 0\n", "seed = [\n", 1, "damaged"),
    "unknown key": ("seed = 0\n", "seed = 0\ncolor = 3\n", 2, "no entry 'color'"),
    "misspelt key": ("seed = 0\n", "sed = 0\n", 2, "Did you mean 'seed'?"),
    "seed": ("seed = 0\n", "seed = -3\n", 2, "from 0 to 2^63-1"),
    "seed is text": ("seed = 0\n", 'seed = "0"\n', 2, "from 0 to 2^63-1"),
    "no recipe": ('[recipe]\nplugin = "gantk:game"\nimage_noise = 0.0\n', "", 2, "recipe"),
    "recipe without plugin": ('plugin = "gantk:game"\n', "", 2, "recipe"),
    "recipe of another name": ('"gantk:game"', '"gantk:gmae"', 2, "Did you mean 'game'?"),
    "package gone": ('"gantk:dcgan"', '"gone:dcgan"', 2, "gantk:dcgan"),
    "no noise": ('[noise]\nplugin = "gantk:gaussian"\ndim = 4\n', "", 2, "needs a noise"),
    "option": ("width = 4", "widht = 4", 2, "Did you mean 'width'?"),
    "option's type": ("width = 4", 'width = "wide"', 2, "width takes int"),
    "option's range": ("width = 4", "width = 0", 2, "at least 1"),
    "length": ('length = "8 steps"', "length = 8", 2, "'25 epochs'"),
    "stage": ("[stages.game]", "[stages.gmae]", 2, "Did you mean 'game'?"),
    "player": ("[stages.game.generator]", "[stages.game.generater]", 2, "Did you mean 'generator'?"),
    "optimizer": ('optimizer = "adam"', 'optimizer = "adom"', 2, "Did you mean 'adam'?"),
    "learning rate": ("lr = 0.0002", "lr = -1.0", 2, "Invalid learning rate"),
    "train setting": ("log_every = 1", "log_evry = 1", 2, "Did you mean 'log_every'?"),
    "precision": ('precision = "auto"', 'precision = "8"', 2, "'bf16-mixed'"),
    "accelerator": ('accelerator = "cpu"', 'accelerator = "abacus"', 2, "cpu"),
    "strategy": ('strategy = "auto"', 'strategy = "napoleon"', 2, "ddp"),
    "devices": ("devices = 1", "devices = 3", 2, "is not divisible by 3 devices"),
    "shape": ("[shape]", "[shap]", 2, "Did you mean 'shape'?"),
    "images": ("images = 10000", "images = 3", 1, "there were 3 images and now there are 10,000"),
    "image shape": ("    28,\n    28,\n", "    32,\n    32,\n", 1, "build a new run"),
}


@pytest.mark.parametrize(("old", "new", "code", "mend"), DAMAGE.values(), ids=DAMAGE)
def test_a_model_toml_that_was_edited(
    old: str, new: str, code: int, mend: str, untrained: Path, call, contents
) -> None:
    file = untrained / "model.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    before = contents(untrained)
    assert mend in call("train", "untrained").error(code)
    assert contents(untrained) == before, "nothing is written"


def test_an_error_in_model_toml_names_the_file(untrained: Path, call) -> None:
    file = untrained / "model.toml"
    file.write_text(file.read_text().replace("width = 4", "width = 0", 1))
    assert "untrained/model.toml: " in call("train", "untrained").error(2)
    file.write_bytes(b"\xff\x00")
    assert "untrained/model.toml is damaged" in call("train", "untrained").error(1)


@pytest.mark.parametrize(
    ("old", "new"),
    [("kernel = 4\n", ""), ('"8 steps"', '"8 step"'), ("lr = 0.0002", "lr = 2e-4"), ("seed = 0\n", "seed = 5\n")],
    ids=["default left out", "written otherwise", "number written otherwise", "another value"],
)
def test_a_model_toml_may_be_edited(old: str, new: str, untrained: Path, call) -> None:
    file = untrained / "model.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    call("train", "untrained").worked()
    assert (untrained / "checkpoints/step-0000008").is_dir()


def damage(file: Path, how: str) -> None:
    if how == GONE:
        file.unlink()
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "half":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif how == "text":
        file.write_bytes(b"<html>404 Not Found</html>" * 40)
    else:
        content = bytearray(file.read_bytes())
        content[: len(content) // 2] = bytes(index * 7 % 256 for index in range(len(content) // 2))
        file.write_bytes(bytes(content))


@pytest.mark.parametrize("how", [GONE, "empty", "half", "text", "noise"])
@pytest.mark.parametrize("name", ["model.safetensors", "training.json"])
def test_a_damaged_checkpoint_and_what_is_used_instead(name: str, how: str, trained: Path, call, contents) -> None:
    weights = (trained / "checkpoints/step-0000008/model.safetensors").read_bytes()
    damage(trained / "checkpoints/step-0000008" / name, how)
    said = f"trained/checkpoints/step-0000008/{name} is damaged: it"
    if name == "model.safetensors":
        before = contents(trained)
        err = call("sample", "trained", "-n", "1", "-o", "one.png").worked().err
        assert said in err
        assert "using trained/checkpoints/step-0000004" in err
        assert contents(trained) == before
        assert said in call("sample", "trained", "--step", "8").error(1)
    line = next(line for line in call("train", "trained").worked().err.splitlines() if said in line)
    assert "resuming from trained/checkpoints/step-0000004: 4 steps after it are trained again" in line
    assert (trained / "checkpoints/step-0000008/model.safetensors").read_bytes() == weights


def test_the_only_checkpoint_is_damaged(trained: Path, call) -> None:
    weights = (trained / "checkpoints/step-0000008/model.safetensors").read_bytes()
    shutil.rmtree(trained / "checkpoints/step-0000004")
    damage(trained / "checkpoints/step-0000008/training.json", "half")
    assert "it is the only checkpoint; gantk train trained --fresh starts over" in call("train", "trained").error(1)
    call("train", "trained", "--fresh").worked()
    assert (trained / "checkpoints/step-0000008/model.safetensors").read_bytes() == weights, "the mend works"


def test_a_folder_is_said_to_be_read(tmp_path: Path, call) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(9):
        Image.fromarray(np.full((12, 12), 25 * number, dtype=np.uint8)).save(tmp_path / f"pictures/{number}.png")
    short = ("--set", "stages.game.length=2 steps", "--set", "stages.game.batch_size=1")
    call("build", "gan", "--data", "folder:path=pictures,color=gray", *short, "-o", "run").worked()
    lines = call("train", "run").worked().err.splitlines()
    assert lines[:2] == ["reading images", "game: 2 steps of 1 image"]


def test_a_checkpoint_of_another_model(trained: Path, call) -> None:
    file = trained / "model.toml"
    file.write_text(file.read_text().replace("width = 4", "width = 5"))
    error = call("train", "trained").error(1)
    assert "generator.width was 4" in error
    assert "contains the weights of another model" in call("sample", "trained").error(1)
    assert "start this one over with --fresh" in error
    call("train", "trained", "--fresh").worked()
    call("sample", "trained", "-n", "1").worked()


def test_without_tensorboard_training_goes_on(untrained: Path, call) -> None:
    (untrained / "tensorboard").write_text("mine")
    err = call("train", "untrained").worked().err
    assert err.count("TensorBoard's files cannot be written") == 1
    assert (untrained / "checkpoints/step-0000008").is_dir()


@pytest.mark.parametrize("place", ["samples", "checkpoints", "log.jsonl"])
def test_something_stands_where_training_writes(place: str, untrained: Path, call) -> None:
    (untrained / place).mkdir() if place == "log.jsonl" else (untrained / place).write_text("mine")
    done = call("train", "untrained")
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert last.startswith("gantk: error: untrained/")
    assert place in last
    assert "Traceback" not in done.err
