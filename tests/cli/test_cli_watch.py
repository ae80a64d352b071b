"""What a long training tells in time: how long it takes, that it stops, and that a batch is too large."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

GAME = ("--noise", "gaussian:dim=4", "--generator", "dcgan:width=4", "--discriminator", "dcgan:width=4")


def test_build_says_how_long_training_takes(small_build: list[str], call) -> None:
    assert "time: less than a minute on this machine's CPU" in call(*small_build, "--dry-run").worked().out
    long = call(*small_build, "--set", "stages.game.length=1e9 steps", "--dry-run").worked().out
    assert " days on this machine's CPU" in long
    both = call("build", "degan", "--set", "train.accelerator=cpu", "--dry-run").worked().out
    assert "(pretrain " in both
    assert "game about" in both


def test_a_batch_larger_than_the_data_is_told(small_build: list[str], call) -> None:
    large = ("--set", "stages.game.batch_size=100000")
    out = call(*small_build, *large, "--dry-run").worked().out
    assert "note: stage game: a batch of 100,000 is larger than the data set of 10,000 images" in out
    assert "reads images 10 times" in out


def test_the_first_picture_and_checkpoint_do_not_wait_for_the_last_step(
    small_build: list[str], tmp_path: Path, call
) -> None:
    rare = [word for n in ("sample", "checkpoint", "log") for word in ("--set", f"train.{n}_every=1000000")]
    call(*small_build, *rare, "--set", "train.every_minutes=0.00001", "--set", "train.keep=99", "-o", "run").worked()
    call("train", "run").worked()
    assert len(list((tmp_path / "run/samples").iterdir())) == 8
    assert len(list((tmp_path / "run/checkpoints").iterdir())) == 8
    assert len((tmp_path / "run/log.jsonl").read_text().splitlines()) == 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "again"), [(signal.SIGINT, "press Ctrl-C again"), (signal.SIGTERM, "send SIGTERM again")]
)
def test_a_signal_is_answered(number: signal.Signals, again: str, small_build, tmp_path: Path, call, start) -> None:
    call(*small_build, "--set", "stages.game.length=100000 steps", "-o", "run").worked()
    training = start("train", "run", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for line in training.stderr:
        if line.startswith(b"game 5/"):
            training.send_signal(number)
            break
    err = training.communicate(timeout=60)[1].decode()
    assert f"gantk: finishing this step and saving; {again} to stop at once" in err.splitlines()
    assert err.splitlines()[-1].startswith(f"gantk: stopped by {number.name} after step ")
