"""More than one device is a setting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gantk
from gantk.run.folder import Run


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path: Path) -> None:
    model = gantk.build(
        loss="wgan-gp",
        generator="dcgan:width=4",
        discriminator="dcgan:width=4",
        settings={
            "stages.game.length": "4 steps",
            "stages.game.batch_size": 8,
            "train.devices": 2,
            "train.accelerator": "cpu",
            "train.log_every": 2,
        },
    )
    Run(tmp_path / "run").create(model.built.spec)
    done = subprocess.run(
        [sys.executable, "-m", "gantk", "train", str(tmp_path / "run")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "MEMBER: 2/2" in done.stderr
    assert [json.loads(line)["step"] for line in Run(tmp_path / "run").log_file.read_text().splitlines()] == [2, 4]
    assert gantk.load(tmp_path / "run").sample(2).isfinite().all()
