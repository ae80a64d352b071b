"""Checkpoints: weights as safetensors, optimizers as what torch loads with `weights_only`. Nothing is unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gantk.errors import CheckpointError
from gantk.files import flush
from gantk.kinds import LISTS, SLOTS
from gantk.model import Model
from gantk.run.folder import Run

__all__ = ["Place", "check_unchanged", "load_optimizers", "load_weights", "save"]

WEIGHTS = "model.safetensors"
TRAINING = "training.pt"


@dataclass(frozen=True)
class Place:
    """Where training stands: everything else that a step needs follows from it and the run's seed."""

    stage: int = 0
    """Index of the stage; the number of stages where training is finished."""
    step: int = 0
    """Steps of that stage that are done."""
    total: int = 0
    """Steps of all stages that are done."""


def save(run: Run, model: Model, place: Place, optimizers: Mapping[str, torch.optim.Optimizer], keep: int) -> Path:
    """Write a checkpoint aside, rename it whole, and delete the oldest beyond `keep`.

    Raises:
        CheckpointError: it cannot be written; the checkpoints before it stay.
    """
    try:
        return _save(run, model, place, optimizers, keep)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(run.unfinished(place.total), ignore_errors=True)
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{run.checkpoint(place.total)} cannot be written: {reason:.200}; "
            f"the checkpoints before it stay: make room there, then go on with gantk train {run.typed}."
        ) from error


def _save(run: Run, model: Model, place: Place, optimizers: Mapping[str, torch.optim.Optimizer], keep: int) -> Path:
    aside, final = run.unfinished(place.total), run.checkpoint(place.total)
    run.checkpoints_folder.mkdir(parents=True, exist_ok=True)
    run.clean(keep)
    aside.mkdir()
    with model.averaging():
        weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(weights, aside / WEIGHTS)
    states = {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
    trained = json.dumps(_trained(model.built.spec))
    torch.save({"place": asdict(place), "optimizers": states, "trained": trained}, aside / TRAINING)
    for name in (WEIGHTS, TRAINING):
        flush(aside / name)
    aside.rename(final)
    flush(run.checkpoints_folder)
    run.clean(keep)
    return final


def load_weights(model: Model, checkpoint: Path) -> None:
    """Load a checkpoint's weights into a model.

    Raises:
        CheckpointError: the file is damaged, holds NaN or infinity, or the weights of another model.
    """
    path = checkpoint / WEIGHTS
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise _damaged(path, ValueError(f"{name} holds NaN or infinity"))
    try:
        with model.averaging():
            model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path} holds the weights of another model: {reason:.300}; gantk train --fresh starts over."
        ) from error


def _trained(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What may not change between the steps of one run, as `path` → value."""
    kept = ("recipe", "seed", *SLOTS, *LISTS, "stages")
    return dict(_leaves({key: spec[key] for key in kept if key in spec}))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def check_unchanged(model: Model, checkpoint: Path, trained: Mapping[str, Any]) -> None:
    """Refuse to go on with other settings than those that a checkpoint was trained with.

    Raises:
        CheckpointError: one has changed; the message names it.
    """
    now = json.loads(json.dumps(_trained(model.built.spec)))
    for path in {**trained, **now}:
        if trained.get(path) != now.get(path):
            before, after = trained.get(path), now.get(path)
            raise CheckpointError(
                f"{path} was {before} when {checkpoint} was trained and is {after}: "
                "put it back, build another run, or start this one over with --fresh."
            )


def load_training(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint's place, optimizer states, and the settings that it was trained with.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = checkpoint / TRAINING
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        place = Place(**state["place"])
        if not all(isinstance(count, int) and count >= 0 for count in astuple(place)):
            raise ValueError(f"its place is {place}")
        return {"place": place, "optimizers": dict(state["optimizers"]), "trained": json.loads(state["trained"])}
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    # What torch says of a file that is no checkpoint is how to have it run its code.
    reason = "" if isinstance(error, pickle.UnpicklingError) else " ".join(str(error).split()).partition(". ")[0]
    run = Run(path.parent.parent.parent)
    mend = f"remove the folder {path.parent} to go on from the checkpoint before it"
    if len(run.steps()) < 2:
        mend = f"it is the only checkpoint: gantk train {run.typed} --fresh starts over"
    return CheckpointError(f"{path} cannot be read: {f'{type(error).__name__}: {reason:.200}'.rstrip(': ')}; {mend}.")


def load_optimizers(optimizers: Mapping[str, torch.optim.Optimizer], states: Mapping[str, Any], where: Path) -> None:
    """Give a stage's optimizers the states of a checkpoint.

    Raises:
        CheckpointError: the states belong to other players.
    """
    if set(states) != set(optimizers):
        raise CheckpointError(f"{where} was written by players {sorted(states)}, not {sorted(optimizers)}.")
    for name, optimizer in optimizers.items():
        try:
            optimizer.load_state_dict(states[name])
        except (ValueError, KeyError, RuntimeError) as error:
            raise CheckpointError(
                f"{where}: the state of '{name}' is of another optimizer: {error}; --fresh starts over."
            ) from error
