"""list-runs: what lies under runs/, the damaged and the unfinished too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from gantk.run.folder import Run
from gantk.run.lock import locked


def lay(runs: Path, trained: Path, untrained: Path) -> None:
    """Runs of every kind."""
    shutil.copytree(trained, runs / "done")
    shutil.copytree(trained, runs / "group/half")
    shutil.rmtree(runs / "group/half/checkpoints/step-0000008")
    shutil.copytree(untrained, runs / "fresh")
    shutil.copytree(trained, runs / "not-toml")
    (runs / "not-toml/model.toml").write_text("seed = [\n")
    shutil.copytree(trained, runs / "no-toml")
    (runs / "no-toml/model.toml").unlink()
    shutil.copytree(trained, runs / "no-weights")
    (runs / "no-weights/checkpoints/step-0000008/model.safetensors").unlink()
    (runs / "no-run").mkdir()


def test_every_run_is_shown(trained: Path, untrained: Path, tmp_path: Path, call, contents) -> None:
    lay(tmp_path / "runs", trained, untrained)
    before = contents(tmp_path)
    out = call("list-runs").worked().out
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "8 of 8 steps, finished" in rows["runs/done"]
    assert "4 of 8 steps, stopped" in rows["runs/group/half"]
    assert "0 of 8 steps, not trained" in rows["runs/fresh"]
    for part in ("dcgan", "noise=gaussian", "loss=nonsaturating", "data=digits", "generator/", "20"):
        assert part in rows["runs/done"]
    assert "damaged: " in rows["runs/not-toml"]
    assert "damaged: it has no model.toml" in rows["runs/no-toml"]
    assert "damaged: checkpoint of step 8 is incomplete" in rows["runs/no-weights"]
    assert "runs/no-run" not in rows
    assert contents(tmp_path) == before


def test_as_json_in_another_folder_and_while_it_is_trained(trained: Path, tmp_path: Path, call) -> None:
    with locked(Run(trained)):
        (found,) = json.loads(call("list-runs", "trained", "--json").worked().out)
    assert found["state"] == "training now"
    (found,) = json.loads(call("list-runs", ".", "--json").worked().out)
    assert (found["run"], found["state"], found["step"], found["steps"]) == ("trained", "finished", 8, 8)
    assert set(found["scores"]) == {"discriminator/nonsaturating", "generator/nonsaturating"}


def test_none(tmp_path: Path, call) -> None:
    assert "no such folder" in call("list-runs").error(1)
    (tmp_path / "runs").mkdir()
    assert call("list-runs").worked().out == "no runs in runs; gantk build creates one\n"
