"""Checkpoints of a run: what lies in one, and what is said of one that is damaged or of another model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import gantk
from gantk.errors import CheckpointError
from gantk.run.folder import Run
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
WEIGHTS, TRAINING = "model.safetensors", "training.pt"


@pytest.fixture
def run(tiny: Build, tmp_path: Path) -> Run:
    """Six steps, with checkpoints of 2, 4 and 6."""
    gantk.train(tiny(), tmp_path / "run", progress=Silent())
    return Run(tmp_path / "run")


def training(checkpoint: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(checkpoint / TRAINING, weights_only=True)
    return found


def test_a_run_holds_nothing_else(run: Run) -> None:
    whole = {"model.toml", "log.jsonl", "tensorboard", "samples", "checkpoints"}
    assert {entry.name for entry in run.path.iterdir() if not entry.name.startswith(".")} == whole
    for step in run.steps():
        assert sorted(entry.name for entry in run.checkpoint(step).iterdir()) == [WEIGHTS, TRAINING]


def test_a_checkpoint_says_where_training_stands(run: Run) -> None:
    places = [training(run.checkpoint(step))["place"] for step in run.steps()]
    assert places == [{"stage": 0, "step": step, "total": step} for step in (2, 4, 6)]
    steps = [training(run.checkpoint(step))["optimizers"]["generator"]["state"][0]["step"] for step in run.steps()]
    assert [int(step) for step in steps] == [2, 4, 6]


def test_weights_are_those_that_training_goes_on_from(run: Run, tiny: Build, tmp_path: Path) -> None:
    """Also where a model is sampled from with averages."""
    model = gantk.train(tiny(settings={"train.ema": 0.9}), tmp_path / "averaged", progress=Silent())
    held, plain = (load_file(Run(tmp_path / name).latest() / WEIGHTS) for name in ("averaged", "run"))
    assert all(torch.equal(held[name], value) for name, value in plain.items())
    name = next(n for n, _ in model.generator.named_parameters())
    assert torch.equal(held[f"average.generator.module.{name}"], model.generator.state_dict()[name])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def infinite(path: Path) -> None:
    held = load_file(path)
    held[next(name for name in held if name.startswith("generator.") and name.endswith("weight"))].view(-1)[0] = (
        torch.inf
    )
    save_file(held, path)


def misplaced(path: Path) -> None:
    torch.save({**torch.load(path, weights_only=True), "place": {"stage": 0, "step": -1, "total": 6}}, path)


def lacking(path: Path) -> None:
    found = torch.load(path, weights_only=True)
    torch.save({name: value for name, value in found.items() if name != "trained"}, path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (WEIGHTS, cut),
        (WEIGHTS, infinite),
        (WEIGHTS, Path.unlink),
        (TRAINING, cut),
        (TRAINING, misplaced),
        (TRAINING, lacking),
        (TRAINING, Path.unlink),
    ],
)
def test_a_damaged_checkpoint_says_how_to_resume(
    name: str, damage: Callable[[Path], Any], run: Run, tiny: Build
) -> None:
    """From the one before; and where there is none, from the start."""
    damage(run.latest() / name)
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read: .*remove the folder \S*step-0000006 ") as e:
        gantk.train(tiny(), run, progress=Silent())
    assert "\n" not in str(e.value)
    for step in run.steps()[:-1]:
        shutil.rmtree(run.checkpoint(step))
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read: .*it is the only checkpoint"):
        gantk.train(tiny(), run, progress=Silent())


def test_weights_of_another_model_are_refused(run: Run) -> None:
    path = run.latest() / WEIGHTS
    save_file({f"other.{name}": value for name, value in load_file(path).items()}, path)
    with pytest.raises(CheckpointError, match=r"contains the weights of another model: .*--fresh starts over"):
        gantk.load(run)


def test_what_optimizers_remember_belongs_to_their_players(run: Run, tiny: Build) -> None:
    shutil.rmtree(run.checkpoint(6))
    path = run.latest() / TRAINING
    found = torch.load(path, weights_only=True)
    states = found["optimizers"]
    torch.save({**found, "optimizers": {"critic": states["discriminator"], "generator": states["generator"]}}, path)
    with pytest.raises(CheckpointError, match=r"was written by players \['critic', 'generator'\]"):
        gantk.train(tiny(), run, progress=Silent())
    states["generator"]["param_groups"][0]["params"] = []
    torch.save({**found, "optimizers": states}, path)
    with pytest.raises(CheckpointError, match="the state of 'generator' is of another optimizer"):
        gantk.train(tiny(), run, progress=Silent())
