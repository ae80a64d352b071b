"""What receives the figures of a training besides its log: chosen by name, and never the end of a training."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import gantk
from gantk.errors import OptionError, UsageError
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.log import Log
from gantk.run.loggers import LOGGERS
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
ENTRY = {"step": 2, "stage": "game", "stage_step": 2, "time": 1.5, "values": {"generator/loss": 0.5}}
PICTURE = torch.zeros(1, 4, 6, dtype=torch.uint8)
SPEC = {"seed": 0, "stages": {"game": {"length": "2 steps"}}}


class Fake:
    """A logger that keeps what it receives, and fails where it is told to."""

    package: ClassVar[str] = "json"
    failing: ClassVar[str] = "Fake failed ({}): training continues without it"
    received: ClassVar[list[tuple[Any, ...]]] = []
    fails: ClassVar[str] = ""

    def __init__(self, run: Run, total: int, spec: Mapping[str, Any]) -> None:
        self.receive("open", run.path.name, total, spec.get("seed"))

    def receive(self, what: str, *values: Any) -> None:
        if self.fails == what:
            raise RuntimeError("no server\nat all")
        self.received.append((what, *values))

    def figures(self, values: Mapping[str, float], step: int) -> None:
        self.receive("figures", dict(values), step)

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        self.receive("picture", name, list(picture.shape), step)

    def close(self) -> None:
        self.receive("close")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    monkeypatch.setitem(LOGGERS, "fake", Fake)  # type: ignore[arg-type]
    monkeypatch.setattr(Fake, "received", [])
    return Fake


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def write(run: Run, *loggers: str, total: int = 0) -> None:
    log = Log(run, total, loggers, SPEC)
    log.write(ENTRY)
    log.picture("samples", PICTURE, 2)
    log.picture("odd", torch.zeros(2, 4, 4, dtype=torch.uint8), 2)
    log.close()


def test_figures_and_pictures_are_received(run: Run, fake: type[Fake]) -> None:
    write(run, "fake", "tensorboard", total=1)
    assert fake.received == [
        ("open", "run", 1, 0),
        ("figures", {"game/generator/loss": 0.5}, 2),
        ("picture", "samples", [1, 4, 6], 2),
        ("close",),
    ]
    assert list(run.tensorboard.glob("events*"))


@pytest.mark.parametrize("fails", ["open", "figures", "picture", "close"])
def test_one_that_fails_is_given_up_with_one_warning(
    fails: str, run: Run, fake: type[Fake], monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("always")
    monkeypatch.setattr(fake, "fails", fails)
    write(run, "fake", "tensorboard")
    (said,) = [str(warning.message) for warning in recwarn.list]
    assert said.startswith("Fake failed (")
    assert "no server" in said
    assert "\n" not in said
    assert read_log(run.log_file) == [ENTRY]
    assert list(run.tensorboard.glob("events*")), "the others go on"


def test_training_tells_those_that_are_chosen(tiny: Build, fake: type[Fake], tmp_path: Path) -> None:
    model = tiny(settings={"train.loggers": ["fake"], "stages.game.length": "2 steps"})
    gantk.train(model, tmp_path / "run", progress=Silent())
    kinds = [what for what, *_ in fake.received]
    assert kinds == ["open", "figures", "picture", "close"]
    assert not (tmp_path / "run/tensorboard").exists()
    assert Run(tmp_path / "run").spec()["train"]["loggers"] == ["fake"]


def test_there_may_be_none(tiny: Build, tmp_path: Path) -> None:
    model = tiny(settings={"train.loggers": [], "stages.game.length": "2 steps"})
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert not (tmp_path / "run/tensorboard").exists()
    assert [entry["step"] for entry in read_log(tmp_path / "run/log.jsonl")] == [2]


def test_unknown_names_are_refused(tiny: Build) -> None:
    with pytest.raises(OptionError, match=r"train: there is no logger 'wandbb'\. Did you mean 'wandb'"):
        tiny(settings={"train.loggers": "wandbb"})


def test_one_that_is_not_installed_is_refused_before_anything_is_written(
    tiny: Build, fake: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend = r"train\.loggers: fake is not installed: pip install 'gantk\[fake\]'"
    model = tiny(settings={"train.loggers": "fake"})
    monkeypatch.setattr(fake, "package", "gantk_no_such_package")
    with pytest.raises(UsageError, match=mend):
        tiny(settings={"train.loggers": "fake"})
    with pytest.raises(UsageError, match=mend):
        gantk.train(model, tmp_path / "run", progress=Silent())
    assert not (tmp_path / "run/checkpoints").exists()


def test_weights_and_biases_offline(run: Run) -> None:
    pytest.importorskip("wandb")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(run, "wandb")
    (folder,) = (run.path / "wandb").glob("offline-run-*")
    assert next(folder.glob("*.wandb")).stat().st_size > 0
    assert list(folder.glob("files/media/images/samples_2_*.png"))


def test_mlflow_in_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", gantk.errors.GantkWarning)
        write(run, "mlflow")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{run.path / 'mlflow' / 'mlflow.db'}")
    (found,) = client.search_runs([client.get_experiment_by_name("gantk").experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["stages.game.length"] == "2 steps"
    assert [
        (each.step, each.value) for each in client.get_metric_history(found.info.run_id, "game/generator/loss")
    ] == [(2, 0.5)]
    assert list((run.path / "mlflow/artifacts").rglob("samples*.png"))


def test_trackio_in_its_own_folder(run: Run, tmp_path: Path) -> None:
    """In a process of its own, since it reads once where its folder is."""
    pytest.importorskip("trackio")
    code = (
        "import sys; sys.path[:] = eval(sys.argv[2]); from gantk.run.log import Log; from gantk.run.folder import Run\n"
        f"log = Log(Run(sys.argv[1]), 0, ['trackio'], {SPEC})\n"
        f"log.write({ENTRY}); log.close()\n"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio")}
    command = [sys.executable, "-c", code, str(run), repr(sys.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (database,) = (tmp_path / "trackio").glob("gantk.db")
    with sqlite3.connect(database) as connection:
        ((step, values),) = connection.execute("SELECT step, metrics FROM metrics").fetchall()
    assert (step, json.loads(values)["game/generator/loss"]) == (2, 0.5)
