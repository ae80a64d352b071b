"""Checkpoints that were changed by hand but fit their manifest, and those of earlier versions of gantk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from gantk.run.checkpoints import read_training
from gantk.run.manifest import MANIFEST, Writing, read_manifest
from gantk.run.tensors import pieces

WEIGHTS, OPTIMIZERS, TRAINING = "model.safetensors", "optimizers.safetensors", "training.json"

Change = Callable[[dict[str, Any]], Any]


def rewrite(checkpoint: Path, **changes: Change) -> None:
    """Change what a checkpoint says (`weights`, `optimizers`, `training`), and write a manifest of it."""
    step = read_manifest(checkpoint).step or 0
    found = {
        "weights": load_file(checkpoint / WEIGHTS),
        "optimizers": load_file(checkpoint / OPTIMIZERS),
        "training": json.loads((checkpoint / TRAINING).read_text()),
    }
    for name, change in changes.items():
        change(found[name])
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()
    writing = Writing(checkpoint)
    writing.write(WEIGHTS, pieces(found["weights"]))
    writing.write(OPTIMIZERS, pieces(found["optimizers"]))
    writing.write(TRAINING, [json.dumps(found["training"]).encode()])
    writing.seal(step)


def as_former(checkpoint: Path, *without: str) -> None:
    """Make it a checkpoint of an earlier version, or of one before that, whose training state lacked some entries."""
    state = read_training(checkpoint)
    groups = [{"lr": 100.0, "params": list(range(99))}]
    kept = {
        "place": vars(state.place),
        "optimizers": {name: {"state": each, "param_groups": groups} for name, each in state.optimizers.items()},
        "trained": json.dumps(state.trained),
        "data": json.dumps(state.data),
        "interval": {**state.interval, "sums": {n: torch.tensor(v) for n, v in state.interval["sums"].items()}},
    }
    torch.save({name: value for name, value in kept.items() if name not in without}, checkpoint / "training.pt")
    for name in (OPTIMIZERS, TRAINING, MANIFEST):
        (checkpoint / name).unlink()
