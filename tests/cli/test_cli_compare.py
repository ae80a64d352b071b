"""compare, as its users meet it: runs that were evaluated, side by side."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def three(trained: Path, tmp_path: Path, call) -> Path:
    """Two runs that differ in their seed, and one of another learning rate, evaluated; in `runs`."""
    call(
        "evaluate", "trained", "--metrics", "prdc", "--extractor", "pixels:size=4", "-n", "40", "--real", "60"
    ).worked()
    for name, seed, learning_rate in (("a-0", 0, "0.0002"), ("a-1", 1, "0.0002"), ("b", 0, "0.001")):
        run = Path(shutil.copytree(trained, tmp_path / "runs" / name))
        text = (run / "model.toml").read_text().replace("seed = 0\n", f"seed = {seed}\n")
        (run / "model.toml").write_text(text.replace("lr = 0.0002", f"lr = {learning_rate}"))
    return tmp_path / "runs"


def test_runs_are_compared_and_written(three: Path, tmp_path: Path, call, contents) -> None:
    before = contents(three)
    out = call("compare", "runs").worked().out
    assert re.search(r"^MODEL +SEEDS +STEP +precision ↑ +recall ↑ +density ↑ +coverage ↑$", out, re.MULTILINE)
    assert re.search(r"^a +0, 1 +8 ", out, re.MULTILINE)
    assert re.search(r"^b +0 +8 ", out, re.MULTILINE)
    assert "prdc:k=5: real: 60 of 10,000 × digits" in out
    assert "b has one seed" in out
    assert call("compare", "runs/a-0", "runs/a-1", "runs/b").worked().out == out
    for suffix in ("md", "csv", "tex"):
        assert call("compare", "runs", "-o", f"t.{suffix}").worked().out == f"written to t.{suffix}\n"
    with (tmp_path / "t.csv").open(newline="") as file:
        assert [line["model"] for line in csv.DictReader(file)] == ["a", "b"]
    assert contents(three) == before


def test_swapped_protocols_are_refused(three: Path, call) -> None:
    scores = json.loads((three / "b/metrics.json").read_text())
    for score in scores:
        score["protocol"]["generated"]["images"] = 41
    (three / "b/metrics.json").write_text(json.dumps(scores))
    said = call("compare", "runs").error(2)
    assert "number of generated images (generated.images): 40 in runs/a-0, 41 in runs/b" in said


def test_what_was_not_evaluated_or_logged_is_told(trained: Path, call) -> None:
    assert "trained has no scores: run gantk evaluate trained first" in call("compare", "trained").error(1)
    assert "none of these runs logged a metric" in call("compare", "trained", "-o", "x.png").error(2)
    assert "expected NAME.md" in call("compare", "trained", "-o", "x.xlsx").error(2)
    assert "did you mean trained" in call("compare", "traned").error(1)


def test_curves_are_drawn_without_scores(trained: Path, tmp_path: Path, call) -> None:
    values = [{"step": n, "stage": "game", "values": {"measure/prdc/recall": n / 10}} for n in (4, 8)]
    with (trained / "log.jsonl").open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in values)
    assert call("compare", "trained", "-o", "curves.png").worked().out == "written to curves.png\n"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
