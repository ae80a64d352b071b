"""tune, as its users meet it: a search that prunes, is stopped, killed and resumed, and says what mattered."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import Forked

from gantk.run.entries import read_log
from gantk.run.folder import Run

pytest.importorskip("optuna", reason="needs pip install 'gantk[tune]'")

pytestmark = pytest.mark.usefixtures("forked_work")

SIZE = """
from gantk import Metric

class Size(Metric):
    needs = frozenset()
    better = {"parameters": "lower"}

    def compute(self, comparison):
        return {"images": 1.0, "parameters": float(sum(p.numel() for p in comparison.model.generator.parameters()))}
"""
WIDTHS = ("--generator", "dcgan:width=4..40")
RATES = ("--set", "stages.game.*.lr=1e-4..1e-2")
MEASURED = ("--metric", "prdc/density", "--set", "train.extractor=pixels:size=4", "--set", "train.measure_samples=40")


@pytest.fixture
def tune(small_build: list[str], tmp_path: Path) -> list[str]:
    (tmp_path / "size.py").write_text(SIZE)
    return ["tune", *small_build[1:], "-o", "t"]


def width(name: str) -> int:
    found = re.search(r"width=(\d+)", name)
    assert found
    return int(found[1])


def table(out: str) -> list[str]:
    """The runs of the table, the best first."""
    return re.findall(r"^(t/\S+) ", out, re.MULTILINE)


@pytest.mark.slow
def test_a_search_names_the_best_prunes_the_worse_and_goes_on(tune: list[str], tmp_path: Path, call) -> None:
    tune += [*WIDTHS, "--metric", "./size.py:Size"]
    done = call(*tune, "--trials", "9").worked()
    best = table(done.out)
    assert [width(name) for name in best] == sorted(width(name) for name in best)
    assert re.search(rf"^best of 9 trials, by one random seed: Size/parameters .*: {best[0]}$", done.out, re.MULTILINE)
    assert re.search(r"^9 trials: \d finished, \d pruned$", done.out, re.MULTILINE)
    assert "written to t/tune.png" in done.out
    assert (tmp_path / "t/tune.png").read_bytes().startswith(b"\x89PNG")
    runs = [path.parent for path in (tmp_path / "t").glob("*/model.toml")]
    assert len({run.name for run in runs}) == 9
    pruned = [run for run in runs if Run(run).steps()[-1] < 8]
    assert len(pruned) == 9 - len(best) > 0
    assert min(map(width, (run.name for run in pruned))) > width(best[0])
    assert all(any("measure/Size/parameters" in e["values"] for e in read_log(Run(run).log_file)) for run in runs)
    assert "optuna" not in done.err.lower()

    again = call(*tune, "--trials", "9").worked()
    assert (again.out, again.err) == (done.out, "")
    more = call(*tune, "--trials", "10").worked()
    assert "gantk: trial 10 of 10: generator=dcgan:width=" in more.err
    assert "trial 9" not in more.err
    call("train", str(pruned[0]), "--code", "size.py").worked()
    assert Run(pruned[0]).steps()[-1] == 8


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL])
def test_a_search_that_was_stopped_or_killed_ends_as_one_that_was_not(
    number: signal.Signals, tune: list[str], tmp_path: Path, call, start: Callable[..., Forked]
) -> None:
    tune += [
        *RATES,
        *MEASURED,
        "--set",
        "stages.game.length=60 steps",
        "--set",
        "train.sample_every=100",
        "--trials",
        "2",
    ]
    whole = call(*tune, "-o", "whole").worked()
    going = start(*tune, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while going.poll() is None and not list(tmp_path.glob("t/*/checkpoints/step-*")):
        time.sleep(0.05)
    going.send_signal(number)
    err = going.communicate(timeout=100)[1].decode()
    if number == signal.SIGINT:
        assert going.returncode == 130, err
        assert re.search(r"stopped by SIGINT after step \d+, saved; resume with the same gantk tune$", err.strip())
    resumed = call(*tune).worked()
    assert "gantk: resuming 1 of 2: lr=" in resumed.err
    assert "resuming from t/lr=" in resumed.err
    assert resumed.out.replace("t/", "whole/").split() == whole.out.split()


@pytest.mark.slow
def test_two_processes_share_a_search(tune: list[str], tmp_path: Path, call) -> None:
    done = call(*tune, *RATES, *MEASURED, "--trials", "4", "--jobs", "2").worked()
    assert sorted(re.findall(r"gantk: trial (\d) of 4: lr=", done.err)) == ["1", "2", "3", "4"]
    assert sorted(re.findall(r"gantk: trial (\d) finished: prdc/density", done.err)) == ["1", "2", "3", "4"]
    assert "4 trials: 4 finished" in done.out
    assert not list(tmp_path.glob("t/.trial*"))


def test_what_fails_is_told_and_the_search_goes_on_until_all_is_tried(tune: list[str], call) -> None:
    done = call(*tune, *MEASURED, "--set", "train.ema=0.5|2|0.9", "--trials", "5").worked()
    assert re.search(r"^gantk: trial \d failed: train: ema must be in \[0, 1\), not 2", done.err, re.MULTILINE)
    assert "gantk: all 3 combinations have been tried" in done.err
    assert "3 trials: 2 finished, 1 failed" in done.out
    assert "failed: ema=2: train: ema must be in" in done.out
    assert "prdc/density ↑" in done.out
    assert re.search(r"^best of 3 trials, by one random seed: prdc/density .*: t/ema=0", done.out, re.MULTILINE)


def test_where_all_fail_it_is_an_error_and_nothing_is_left_in_the_way(tune: list[str], tmp_path: Path, call) -> None:
    done = call(*tune, *MEASURED, "--set", "stages.game.generator.lr=much|more", "--trials", "2")
    assert done.code == 1
    assert "gantk: error: all 2 trials failed; the first: " in done.err.splitlines()[-1]
    assert done.out == ""
    assert "TRAINED" not in call("list-runs", "t").out
    call(*tune, *MEASURED, "--set", "stages.game.generator.lr=1e-4|1e-3", "--trials", "1").worked()


def test_a_request_that_cannot_be_met_is_one_line(
    tune: list[str], tmp_path: Path, call, contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(tmp_path)
    assert "give a metric, such as --metric frechet" in call(*tune, *RATES).error(2)
    assert "there is nothing to search: give a range" in call(*tune, "--metric", "frechet").error(2)
    assert "no such figure to search by. Did you mean 'frechet'?" in call(*tune, "--metric", "frechet/freche").error(2)
    assert "the first metric is the objective" in call(*tune, *RATES, "--metric", "frechet|prdc").error(2)
    assert "1e-3..1e-4 is not a range" in call(*tune, "--metric", "prdc", "--set", "a.lr=1e-3..1e-4").error(2)
    shown = call(*tune, *RATES, *WIDTHS, "--metric", "prdc/coverage", "--dry-run").worked().out
    assert re.search(r"^lr +0.0001 to 0.01, log-uniform$", shown, re.MULTILINE)
    assert "objective: prdc/coverage, higher is better; 20 trials" in shown
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "optuna", None)
        assert "pip install 'gantk[tune]'" in call(*tune, *RATES, *MEASURED).error(2)
    assert contents(tmp_path) == before
    call(*tune, *RATES, *MEASURED, "--trials", "1").worked()
    said = call(*tune, *RATES, *MEASURED, "--seed", "1").error(2)
    assert "t contains a search with other arguments (seed: before 0; now 1): choose another -o" in said
    (tmp_path / "t/study.sqlite3").write_bytes(b"no database")
    assert "t/study.sqlite3 cannot be read as a study" in call(*tune, *RATES, *MEASURED).error(1)
    assert "t already exists" in call("sweep", *tune[1:]).error(2)
