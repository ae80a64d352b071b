"""evaluate: figures with their protocol, on a run, on images of another program, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from by_hand import rewrite
from PIL import Image

TOYS = str(Path(__file__).parents[1] / "evaluation" / "toys.py")
SMALL = ("--code", TOYS, "-n", "16", "--real", "40", "--extractor", "pixels")
METRICS = ("--metrics", "python:MeanGap:scale=2", "--metrics", "python:Brightness")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))


def test_the_table_and_what_is_written(trained: Path, tmp_path: Path, gantk, call) -> None:
    import shutil

    shutil.copytree(trained, tmp_path / "run")
    done = gantk("evaluate", "run", *SMALL, *METRICS, "--seeds", "2").worked()
    lines = done.out.splitlines()
    assert lines[0].split() == ["METRIC", "FIGURE", "MEAN", "±", "SPREAD"]
    assert lines[1].startswith("MeanGap:scale=2")
    assert "±" in lines[1]
    protocol = next(line for line in lines if line.startswith("real:"))
    assert lines[-1].startswith("±: standard deviation")
    for part in ("real: 40 of 10,000 × digits", "generated: 16 × run", "step 8", "features: pixels", "seeds 0, 1"):
        assert part in protocol, protocol
    written = json.loads((tmp_path / "run/metrics.json").read_text())
    assert [each["metric"] for each in written] == ["python:MeanGap", "python:Brightness"] * 2
    assert {each["protocol"]["generated"]["seed"] for each in written} == {0, 1}
    shown = call("list-runs", ".").worked().out
    assert "MeanGap/gap" in shown, "what was measured last"


def test_json_and_every_checkpoint(trained: Path, tmp_path: Path, call) -> None:
    done = call("evaluate", str(trained), *SMALL, *METRICS, "--step", "all", "--json", "-o", "scores.json").worked()
    found = json.loads(done.out)
    assert [each["protocol"]["generated"]["step"] for each in found["scores"]] == [4, 4, 8, 8]
    assert found["left_out"] == {}
    assert json.loads((tmp_path / "scores.json").read_text()) == found["scores"]
    assert not (trained / "metrics.json").exists()


def test_a_newest_checkpoint_of_another_model_is_not_measured(trained: Path, call) -> None:
    newest = trained / "checkpoints/step-0000008"
    rewrite(newest, weights=lambda each: each.update(other=each.popitem()[1]))
    done = call("evaluate", "trained", *SMALL, "--metrics", "prdc", "--json").worked()
    assert "step-0000008/model.safetensors does not fit this run" in done.err
    assert {each["protocol"]["generated"]["step"] for each in json.loads(done.out)["scores"]} == {4}


def test_images_of_another_program(tmp_path: Path, call) -> None:
    for index in range(12):
        (tmp_path / "other").mkdir(exist_ok=True)
        Image.new("L", (28, 28), 20 * index).save(tmp_path / f"other/{index}.png")
    done = call("evaluate", "other", "--data", "digits", *SMALL[:2], "--real", "40", *METRICS[2:]).worked()
    assert "generated: 12 × other" in done.out
    assert "110" in done.out, "their mean brightness"
    assert (tmp_path / "other.metrics.json").exists(), "beside the images, not among them"
    again = call("evaluate", "other", "--data", "digits", *SMALL[:2], "--real", "40", *METRICS[2:]).worked()
    assert again.out == done.out
    said = call("evaluate", "other", *SMALL[:2], *METRICS[2:]).error(2)
    assert "the real images are missing; set --data" in said
    Image.new("L", (20, 28)).save(tmp_path / "single.png")
    said = call("evaluate", "single.png", "--data", "digits", *SMALL[:2], *METRICS[2:]).error(2)
    assert "[1, 28, 20], those of digits [1, 28, 28]" in said


def test_what_is_refused(trained: Path, untrained: Path, tmp_path: Path, call) -> None:
    assert "did you mean" in call("evaluate", f"{trained}x", *SMALL).error(1)
    assert "has not been trained yet" in call("evaluate", str(untrained), *SMALL).error(1)
    assert "there is no metric 'nothing'" in call("evaluate", str(trained), "--metrics", "nothing").error(2)
    assert "needs 1,000,000 images" in call("evaluate", str(trained), *SMALL, "--metrics", "python:Greedy").error(2)
    assert "expected a step such as 500, or all" in call("evaluate", str(trained), "--step", "last").error(2)
    (tmp_path / "scores.json").write_text('[{"metric": 3}]')
    said = call("evaluate", str(trained), *SMALL, *METRICS, "-o", "scores.json").error(1)
    assert "scores.json is damaged (score 1.metric is 3" in said or "score 1.options is missing" in said


SLOW = """
import time
from gantk import Metric

class Quick(Metric):
    needs = frozenset()
    def compute(self, comparison):
        return {"a": 1.0}

class Slow(Metric):
    needs = frozenset()
    def compute(self, comparison):
        print("waiting", flush=True)
        time.sleep(60)
        return {"b": 1.0}
"""


@pytest.mark.slow
def test_an_interrupted_evaluation_keeps_what_is_finished(trained: Path, tmp_path: Path, start) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    chosen = ["--metrics", "python:Quick", "--metrics", "python:Slow", "-n", "4", "--real", "4", "-o", "scores.json"]
    process = start("evaluate", str(trained), "--code", "slow.py", *chosen, cwd=tmp_path, stderr=subprocess.PIPE)
    assert process.stderr is not None
    while b"waiting" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    rest = process.communicate()[1].decode()
    assert process.wait(30) == 130, rest
    assert "finished metrics are saved" in rest
    assert "Traceback" not in rest
    assert [each["metric"] for each in json.loads((tmp_path / "scores.json").read_text())] == ["python:Quick"]
