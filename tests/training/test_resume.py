"""A run that is killed and resumed ends in the same bits as one that was never stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import Forked
from safetensors.torch import load_file

import gantk
from gantk.building.assembly import assemble
from gantk.errors import CheckpointError, RunError
from gantk.run.checkpoints import read_training
from gantk.run.folder import Run
from gantk.run.lock import locked
from gantk.training.progress import Silent

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
SETTINGS = {
    "stages.pretrain.length": "12 steps",
    "stages.game.length": "16 steps",
    "stages.pretrain.batch_size": 8,
    "stages.game.batch_size": 8,
    "train.checkpoint_every": 3,
    "train.log_every": 1,
    "train.sample_every": 5,
    "train.samples": 4,
    "train.ema": 0.9,
}


def build(run: Path) -> None:
    """Dropout and posterior draws in the pre-training, two optimizers with state, repeats and an average."""
    model = gantk.build(
        noise="de:dim=6,autoencoder='vae:width=4'",
        generator="dcgan:width=4",
        discriminator="dcgan:width=4",
        loss=["wgan-gp", "hidden"],
        data="digits",
        settings=SETTINGS,
    )
    Run(run).create(model.built.spec)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained to its end; copy it before you change it."""
    run = tmp_path_factory.mktemp("finished") / "run"
    build(run)
    train(run)
    return run


@pytest.fixture
def finished(finished_run: Path, tmp_path: Path) -> Path:
    """A run of this test's own, trained to its end."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def train(run: Path) -> None:
    """As `gantk train` does, in this process, which does not wait for torch again."""
    gantk.train(assemble(Run(run).spec()), run, progress=Silent())


def start(run: Path) -> Forked:
    return Forked("train", str(run), cwd=run.parent, stderr=subprocess.PIPE, env=ENVIRONMENT)


def lines(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def trained(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint holds beside the weights, but for how long it took."""
    state = vars(read_training(checkpoint))
    return {**state, "interval": {**state["interval"], "seconds": 0}}


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def kill_after(run: Path, step: int) -> None:
    """Kill the training outright as soon as its log holds a step."""
    process = start(run)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (run / "log.jsonl").exists() and f'"step": {step},' in (run / "log.jsonl").read_text():
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the training was over before it was killed"


@pytest.mark.slow
def test_killed_at_several_points_it_ends_in_the_same_bits(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for run in (whole, killed):
        build(run)
    train(whole)
    for step in (2, 20):  # before the first checkpoint, and in the game
        kill_after(killed, step)
    process = start(killed)
    assert process.wait() == 0
    assert process.stderr is not None
    assert b"resuming from" in process.stderr.read()

    assert Run(killed).steps() == Run(whole).steps()
    for step in Run(whole).steps():
        one, other = Run(whole).checkpoint(step), Run(killed).checkpoint(step)
        assert same(load_file(one / "model.safetensors"), load_file(other / "model.safetensors"))
        assert same(trained(one), trained(other))
    logged = [(line["step"], line["values"]) for line in lines(whole)]
    assert [(line["step"], line["values"]) for line in lines(killed)] == logged
    for picture in Run(whole).samples_folder.iterdir():
        assert picture.read_bytes() == (Run(killed).samples_folder / picture.name).read_bytes()


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    build(tmp_path / "run")
    run = Run(tmp_path / "run")
    (run.checkpoints_folder / ".unfinished-step-0000003").mkdir(parents=True)
    (run.checkpoints_folder / ".unfinished-step-0000003" / "model.safetensors").write_bytes(b"half")
    run.log_file.write_text('{"step": 1, "stage": "pretrain", "values": {}}\n{"step": 2, "sta')
    train(tmp_path / "run")
    assert sorted(entry.name for entry in run.checkpoints_folder.iterdir()) == [
        f"step-{step:07d}" for step in run.steps()
    ]
    assert [line["step"] for line in lines(tmp_path / "run")] == list(range(1, 29))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (
            'length = "16 steps"',
            'length = "20 steps"',
            "stages.game.length was 16 steps .* restore it .*--set 'stages.game.length=20 steps'",
        ),
        ("lr = 0.0001", "lr = 0.1", "stages.game.discriminator.lr was 0.0001"),
        ("seed = 0", "seed = 1", "seed was 0 .* and is 1; restore it, build another run"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(finished: Path, old: str, new: str, path: str) -> None:
    written = (finished / "model.toml").read_text()
    (finished / "model.toml").write_text(written.replace(old, new))
    with pytest.raises(CheckpointError, match=f"{path}.*--fresh"):
        train(finished)
    (finished / "model.toml").write_text(written)
    train(finished)


def test_a_full_disk_leaves_the_checkpoints_before(finished: Path) -> None:
    limited = f"ulimit -f 40; exec {sys.executable} -m gantk train {finished} --fresh"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr.splitlines()[-1]
    assert "some space" in done.stderr.splitlines()[-1]
    assert not list((finished / "checkpoints").glob(".unfinished*"))
    train(finished)


@pytest.mark.parametrize("content", [b"3\n[]\n", b"\xff\xfe", b'{"step": "x"}\n'])
def test_a_damaged_log_does_not_stop_training(tmp_path: Path, content: bytes) -> None:
    build(tmp_path / "run")
    Run(tmp_path / "run").log_file.write_bytes(content)
    train(tmp_path / "run")
    assert [line["step"] for line in lines(tmp_path / "run")] == list(range(1, 29))


def test_two_trainings_of_one_run_do_not_mix(tmp_path: Path) -> None:
    build(tmp_path / "run")
    with locked(Run(tmp_path / "run")), pytest.raises(RunError, match="is being trained by another process"):
        train(tmp_path / "run")
    train(tmp_path / "run")


def test_a_terminated_run_saves_and_goes_on(tmp_path: Path) -> None:
    build(tmp_path / "run")
    process = start(tmp_path / "run")
    assert process.stderr is not None
    while b"pretrain 4/12" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read().decode()
    assert process.wait() == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in rest
    assert f"gantk train {tmp_path / 'run'}" in rest
    assert Run(tmp_path / "run").steps()[-1] >= 4
    train(tmp_path / "run")
