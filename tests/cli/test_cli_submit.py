"""sweep --submit, as its users meet it: runs become jobs of a cluster, once, and are saved when their time is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forked import Forked

from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.lock import busy

pytest.importorskip("submitit", reason="needs pip install 'gantk[slurm]'")

HOUR = "local:timeout_min=60"
SBATCH = """#!/bin/sh
[ -e {bin}/refuses ] && {{ echo "sbatch: error: invalid partition specified: $0" >&2; exit 1; }}
cp "$1" {bin}/submitted; echo x >> {bin}/count
echo "Submitted batch job 7$(wc -l < {bin}/count | tr -d ' ')"
"""
SACCT = """#!/bin/sh
echo "JobID|State|NodeList"
for job in 71_0 71_1 72_0 72_1; do echo "$job|$(cat {bin}/state)|None assigned"; done
"""


@pytest.fixture
def sweep(small_build: list[str]) -> list[str]:
    return ["sweep", *small_build[1:], "--seeds", "0:2", "-o", "s"]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm's commands, as far as submitit calls them; what is in `state` is the state of all jobs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"srun": "#!/bin/sh\n", "sbatch": SBATCH, "sacct": SACCT}.items():
        (folder / name).write_text(text.format(bin=folder))
        (folder / name).chmod(0o755)
    (folder / "state").write_text("PENDING")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def until(condition: Callable[[], object], seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


def test_runs_become_jobs_once(sweep: list[str], tmp_path: Path, slurm: Path, call) -> None:
    submitted = [*sweep, "--submit", "slurm:partition=gpu,timeout_min=240,gpus_per_node=1,signal_delay_s=120"]
    first = call(*submitted).worked()
    assert "gantk: submitted 2 of 2: jobs 71_0, 71_1" in first.err
    assert "the same command prints their progress" in first.err
    assert first.out.splitlines()[1].split(maxsplit=1) == ["s/seed=0", "0 of 8 steps  not trained, job 71_0 submitted"]
    batch = (slurm / "submitted").read_text()
    for line in ("partition=gpu", "time=240", "gpus-per-node=1", "job-name=gantk-s", "signal=USR2@120", "array=0-1%"):
        assert f"#SBATCH --{line}" in batch
    again = call(*submitted).worked()
    assert "submitted" not in again.err
    assert "not trained, job 71_1 pending" in again.out
    (slurm / "state").write_text("TIMEOUT")
    third = call(*submitted, "--seeds", "0:2").worked()
    assert "gantk: s/seed=0: job 71_0 ended before training was finished; see its log " in third.err
    assert "submitted 2 of 2: jobs 72_0, 72_1" in third.err
    assert json.loads((tmp_path / "s/jobs.json").read_text())["seed=1"] == {"cluster": "slurm", "job": "72_1"}
    (tmp_path / "s/seed=0/model.toml").write_text("seed = [")
    (slurm / "state").write_text("RUNNING")
    failed = call(*submitted)
    assert "1 of 2 runs failed: s/seed=0: damaged: " in failed.err
    assert "s/seed=1  0 of 8 steps  not trained, job 72_1 running" in failed.out
    (tmp_path / "s/jobs.json").write_text("{")
    assert "s/jobs.json is damaged" in call(*submitted).err.splitlines()[-1]


def test_what_a_cluster_refuses_is_one_line(sweep: list[str], tmp_path: Path, slurm: Path, call) -> None:
    (slurm / "refuses").touch()
    done = call(*sweep, "--submit", "slurm:partition=no,timeout_min=1")
    assert done.code == 1
    assert "gantk: error: slurm refused the jobs: " in done.err.splitlines()[-1]
    assert "invalid partition" in done.err.splitlines()[-1]
    assert not (tmp_path / "s/jobs.json").exists()


def test_what_is_no_cluster_is_one_line_and_nothing_is_written(
    sweep: list[str], tmp_path: Path, call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(text: str, *more: str) -> str:
        return call(*sweep, "--submit", text, *more).error(2)

    monkeypatch.setenv("PATH", str(tmp_path))
    assert '--submit slurm:timeout_min=9: Could not detect "srun"' in said("slurm:timeout_min=9")
    assert "set the time limit of a job in minutes, such as slurm:timeout_min=240" in said("slurm:partition=gpu")
    assert "doesn't know any executor named nowhere" in said("nowhere:timeout_min=9")
    assert "Unknown argument 'partition'" in said(f"{HOUR},partition=gpu")
    assert "cannot be combined with --no-train or --jobs" in said(HOUR, "--jobs", "2")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "submitit.core.plugins", None)
        assert "pip install 'gantk[slurm]'" in said(HOUR)
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_jobs_train_and_the_same_command_compares(sweep: list[str], tmp_path: Path, call) -> None:
    measured = ("--metrics", "prdc", "--extractor", "pixels:size=4", "-n", "40")
    submitted = [*sweep, *measured, "--submit", HOUR]
    call(*submitted).worked()
    runs = [Run(tmp_path / f"s/seed={seed}") for seed in (0, 1)]
    until(lambda: all(run.steps()[-1:] == [8] and not busy(run) for run in runs))
    done = call(*submitted).worked()
    assert "0, 1" in done.out
    assert "precision" in done.out
    assert "submitted" not in done.err


@pytest.fixture
def ending() -> Iterator[list[int]]:
    """Processes that are killed in the end."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="needs Linux's /proc")
def test_a_job_whose_time_is_over_is_saved_requeued_and_resumed(
    sweep: list[str], tmp_path: Path, call, start: Callable[..., Forked], ending: list[int]
) -> None:
    slow = [*sweep, "--seeds", "1", "--set", "stages.game.length=100000 steps"]
    slow += ["--set", "train.checkpoint_every=100000", "--submit", HOUR]
    assert start(*slow, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(100) == 0
    controller = int(json.loads((tmp_path / "s/jobs.json").read_text())["seed=0"]["job"])
    ending.append(controller)
    run = Run(tmp_path / "s/seed=0")
    until(lambda: run.log_file.exists() and read_log(run.log_file))
    (task,) = children(controller)
    ending += [task, *children(task)]
    shown = call(*slow).worked()
    assert f"job {controller} running" in shown.out or "training now" in shown.out
    assert "submitted" not in shown.err
    for process in (*children(task), task):  # as Slurm does
        os.kill(process, signal.SIGUSR2)
    errors = next((tmp_path / "s/jobs").glob("*/*.err"))
    until(lambda: "resuming from" in errors.read_text())
    (task,) = children(controller)
    ending += [task, *children(task)]
    assert run.steps()[0] > 0
    assert "saved; resume with: gantk train" in errors.read_text()
