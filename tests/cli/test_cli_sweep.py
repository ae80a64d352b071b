"""sweep, as its users meet it: a grid of runs that is trained, stopped, resumed, evaluated and compared."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import Forked

pytestmark = pytest.mark.usefixtures("forked_work")

RATES = ("--set", "stages.game.generator.lr=1e-4|2e-4")
MEASURED = ("--metrics", "prdc", "--extractor", "pixels:size=4", "-n", "40")
SLOW = "stages.game.length=100000 steps"


@pytest.fixture
def sweep(small_build: list[str]) -> list[str]:
    return ["sweep", *small_build[1:]]


def runs(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/model.toml"))


def steps(folder: Path) -> dict[str, int]:
    """The newest checkpoint of each run."""
    found = {name: sorted((folder / name / "checkpoints").glob("step-*")) for name in runs(folder)}
    return {name: int(paths[-1].name.partition("-")[2]) if paths else 0 for name, paths in found.items()}


def test_a_grid_is_trained_and_compared_and_goes_on_where_it_stands(sweep: list[str], tmp_path: Path, call) -> None:
    done = call(*sweep, *RATES, "-o", "s", *MEASURED).worked()
    assert steps(tmp_path / "s") == {"lr=1e-4,seed=0": 8, "lr=2e-4,seed=0": 8}
    assert "training 2 of 2: s/lr=2e-4,seed=0" in done.err
    assert re.search(r"^lr=1e-4,seed=0 +0 +8 ", done.out, re.MULTILINE)
    again = call(*sweep, *RATES, "-o", "s", *MEASURED).worked()
    assert again.out == done.out
    assert "building" not in again.err
    assert "training" not in again.err
    shutil.rmtree(tmp_path / "s/lr=2e-4,seed=0/checkpoints/step-0000008")
    more = call(*sweep, *RATES, "--seeds", "0:2", "-o", "s", *MEASURED).worked()
    assert "building 2 of 2: lr=2e-4,seed=1" in more.err
    assert "training 1 of 3: s/lr=1e-4,seed=1" in more.err
    assert "resuming from s/lr=2e-4,seed=0/checkpoints/step-0000004" in more.err
    assert re.search(r"^lr=2e-4 +0, 1 +8 ", more.out, re.MULTILINE)
    assert set(steps(tmp_path / "s").values()) == {8}


@pytest.mark.slow
def test_several_at_once_train_the_same(sweep: list[str], tmp_path: Path, call) -> None:
    done = call(*sweep, "--seeds", "0:2", "-o", "s", "--jobs", "2").worked()
    assert re.search(r"^s/seed=1 +8 of 8 steps +finished$", done.out, re.MULTILINE)
    call("build", *sweep[1:], "--seed", "1", "-o", "alone").worked()
    call("train", "alone").worked()
    weights = "checkpoints/step-0000008/model.safetensors"
    assert (tmp_path / "s/seed=1" / weights).read_bytes() == (tmp_path / "alone" / weights).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "number"), [(1, signal.SIGINT), (2, signal.SIGTERM)])
def test_stopping_saves_and_leaves_the_rest(
    jobs: int, number: signal.Signals, sweep: list[str], tmp_path: Path, start: Callable[..., Forked]
) -> None:
    sweep = [*sweep, "--set", SLOW, "--seeds", "0:3", "-o", "s", "--jobs", str(jobs)]
    going = start(*sweep, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wanted = [tmp_path / f"s/seed={seed}/log.jsonl" for seed in range(jobs)]
    while going.poll() is None and not all(log.exists() and log.stat().st_size for log in wanted):
        time.sleep(0.2)
    going.send_signal(number)
    err = going.communicate(timeout=100)[1].decode()
    assert going.returncode == 128 + number, err
    assert f"stopped by {number.name}; everything is saved, resume with the same gantk sweep" in err.splitlines()[-1]
    for name, step in steps(tmp_path / "s").items():
        began = int(name[-1]) < jobs
        assert (step > 0) == began
        if began:
            last = json.loads((tmp_path / "s" / name / "log.jsonl").read_text().splitlines()[-1])
            assert last["step"] == step


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_that_fails_does_not_stop_the_others(jobs: str, sweep: list[str], tmp_path: Path, call) -> None:
    call(*sweep, "--seeds", "0:3", "-o", "s", "--no-train").worked()
    (tmp_path / "s/seed=0/samples").touch()
    (tmp_path / "s/seed=1/model.toml").write_text("seed = [\n")
    failed = call(*sweep, "--seeds", "0:3", "-o", "s", "--jobs", jobs)
    assert failed.code == 1
    last = failed.err.splitlines()[-1]
    assert "gantk: error: 2 of 3 runs failed: s/seed=1: damaged: " in last
    assert re.search("s/seed=0: .*samples", last)
    assert re.search(r"^s/seed=2 +8 of 8 steps +finished$", failed.out, re.MULTILINE)


def test_nothing_is_written_where_a_combination_does_not_fit(sweep: list[str], tmp_path: Path, call) -> None:
    done = call(*sweep, "--set", "stages.game.generator.lr=1e-4|much", "-o", "s")
    assert done.code == 2
    assert "gantk: error: lr=much,seed=0: " in done.err
    assert not (tmp_path / "s").exists()


def test_another_sweep_and_other_folders_are_left_alone(sweep: list[str], tmp_path: Path, call, contents) -> None:
    out = call(*sweep, *RATES, "-o", "s", "--no-train").worked().out
    assert re.search(r"^s/lr=1e-4,seed=0 +0 of 8 steps +not trained$", out, re.MULTILINE)
    before = contents(tmp_path)
    said = call(*sweep, *RATES, "--data", "digits", "-o", "s").error(2)
    assert "s contains a sweep with other arguments (fixed: " in said
    assert "now data digits" in said
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    assert "mine already exists" in call(*sweep, "-o", "mine").error(2)
    shown = call(*sweep, *RATES, "--seeds", "0:2", "-o", "s", "--dry-run").worked().out
    assert re.search(r"^s/lr=2e-4,seed=1 +new$", shown, re.MULTILINE)
    assert "s contains a sweep with other" in call(*sweep, *RATES, "--data", "digits", "-o", "s", "--dry-run").error(2)
    assert "--seeds x: expected 0:3" in call(*sweep, "--seeds", "x", "-o", "s").error(2)
    (tmp_path / "mine/file").unlink()
    (tmp_path / "mine").rmdir()
    assert contents(tmp_path) == before


def test_a_mistyped_metric_is_told_before_anything_is_built(sweep: list[str], tmp_path: Path, call) -> None:
    for typed, told in (
        (("--metrics", "prcd"), "there is no metric 'prcd'"),
        (("--metrics", "prdc:k=0.5"), "metric 'prdc': k takes int"),
        (("--metrics", "prdc", "--extractor", "pixel"), "there is no extractor 'pixel'"),
    ):
        assert told in call(*sweep, "-o", "many", *typed).error(2)
    assert not (tmp_path / "many").exists()
