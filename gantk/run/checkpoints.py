"""Checkpoints: weights as safetensors, optimizers as what torch loads with `weights_only`. Nothing is unpickled."""

from __future__ import annotations

import json
import pickle
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gantk.errors import CheckpointError, RunError, briefly
from gantk.files import flush
from gantk.kinds import LISTS, SLOTS
from gantk.model import Model
from gantk.run.folder import Run

__all__ = [
    "Place",
    "check_unchanged",
    "create",
    "load_optimizers",
    "load_start",
    "load_training",
    "load_weights",
    "read_weights",
    "save",
]

WEIGHTS = "model.safetensors"
TRAINING = "training.pt"


@dataclass(frozen=True)
class Place:
    """The position of training; together with the run's seed, it determines everything that a step needs."""

    stage: int = 0
    """Index of the stage."""
    step: int = 0
    """Finished steps of that stage; all of its steps until the next stage begins."""
    total: int = 0
    """Finished steps of all stages."""


def save(
    run: Run,
    model: Model,
    place: Place,
    optimizers: Mapping[str, torch.optim.Optimizer],
    data: Mapping[str, Any],
    keep: int,
    interval: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint to a temporary folder, rename it, and delete the oldest ones beyond `keep`.

    Args:
        run: the run.
        model: the model with its weights.
        place: the position of training.
        optimizers: the optimizers of the stage's players.
        data: the content of the training data, from `gantk.data.content.content_of`.
        keep: number of checkpoints to keep.
        interval: running means for the next line of the log, from `Averages.state`.

    Raises:
        CheckpointError: it cannot be written; earlier checkpoints are kept.
    """
    try:
        return _save(run, model, place, optimizers, data, keep, interval or {})
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(run.unfinished(place.total), ignore_errors=True)
        raise CheckpointError(
            f"{run.checkpoint(place.total)} cannot be written: {briefly(error)}; "
            f"earlier checkpoints are intact: free some space there, then resume with: gantk train {run.typed}."
        ) from error


def _save(
    run: Run,
    model: Model,
    place: Place,
    optimizers: Mapping[str, torch.optim.Optimizer],
    data: Mapping[str, Any],
    keep: int,
    interval: Mapping[str, Any],
) -> Path:
    aside, final = run.unfinished(place.total), run.checkpoint(place.total)
    run.checkpoints_folder.mkdir(parents=True, exist_ok=True)
    run.clean(keep)
    aside.mkdir()
    with model.averaging():
        save_file(_weights(model), aside / WEIGHTS)
    states = {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
    trained = json.dumps(_trained(model.built.spec))
    kept = {
        "place": asdict(place),
        "optimizers": states,
        "trained": trained,
        "data": json.dumps(data),
        "interval": dict(interval),
    }
    torch.save(kept, aside / TRAINING)
    for name in (WEIGHTS, TRAINING):
        flush(aside / name)
    aside.rename(final)
    flush(run.checkpoints_folder)
    run.clean(keep)
    return final


def create(run: Run, model: Model) -> None:
    """Create a run of a built model; if its weights are not the initial ones of its seed, they are saved in `start`.

    Raises:
        UsageError: there is something in that place already.
        RunError: the place cannot be written.
    """
    run.create(model.built.spec)
    if "start" in model.built.spec:
        run.start.mkdir()
        try:
            with model.averaging():
                save_file(_weights(model), run.start / WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise RunError(f"{run.start} cannot be written: {error}; remove {run}, and build it again.") from error


def load_start(run: Run, model: Model) -> None:
    """Load the weights that a run starts from, unless it starts from the initial ones of its seed.

    Raises:
        CheckpointError: they are missing or damaged.
    """
    if "start" in model.built.spec:
        load_weights(model, run.start)


def _weights(model: Model) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}


def read_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """A checkpoint's weights by name.

    Raises:
        CheckpointError: the file is damaged, or contains NaN or infinity.
    """
    path = checkpoint / WEIGHTS
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise _damaged(path, ValueError(f"{name} contains NaN or infinity"))
    return weights


def load_weights(model: Model, checkpoint: Path) -> None:
    """Load a checkpoint's weights into a model.

    Raises:
        CheckpointError: the file is damaged, or contains NaN, infinity, or the weights of another model.
    """
    path, weights = checkpoint / WEIGHTS, read_weights(checkpoint)
    try:
        with model.averaging():
            model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} contains the weights of another model: {briefly(error)}; gantk train --fresh starts over."
        ) from error


def _trained(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that must not change within a run, as `path` → value."""
    kept = ("recipe", "seed", *SLOTS, *LISTS, "stages")
    return dict(_leaves({key: spec[key] for key in kept if key in spec}))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def check_unchanged(spec: Mapping[str, Any], checkpoint: Path, trained: Mapping[str, Any]) -> None:
    """Check that a run can resume from a checkpoint with this spec.

    Raises:
        CheckpointError: a setting has changed that must not; the message names it.
    """
    now = json.loads(json.dumps(_trained(spec)))
    run = Run(checkpoint.parent.parent)
    for path in {**trained, **now}:
        if trained.get(path) != now.get(path):
            before, after = trained.get(path), now.get(path)
            raise CheckpointError(
                f"{path} was {before} when {checkpoint} was trained and is {after}: "
                f"restore it{_offer(run, path, after)}, build another run, or start this one over with --fresh."
            )


def _offer(run: Run, path: str, value: Any) -> str:
    """How to change a setting of a stage from a step on, if that is what was changed by hand."""
    if not path.startswith("stages.") or not isinstance(value, (str, int, float)):
        return ""
    setting = shlex.quote(f"{path}={value}")
    return f" (and to change it from here on, say gantk train {run.typed} --set {setting})"


def load_training(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint's place, its optimizers' states, the settings and data that it was trained with, and its `interval`.

    `data` and `interval` are empty in checkpoints of versions that did not keep them.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = checkpoint / TRAINING
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        place = Place(**state["place"])
        if not all(isinstance(count, int) and count >= 0 for count in astuple(place)):
            raise ValueError(f"its place is {place}")
        return {
            "place": place,
            "optimizers": dict(state["optimizers"]),
            "trained": json.loads(state["trained"]),
            "data": dict(json.loads(state.get("data", "{}"))),
            "interval": dict(state.get("interval", {})),
        }
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    # torch's own message suggests loading the file in a way that can run code.
    reason = "" if isinstance(error, pickle.UnpicklingError) else briefly(error).partition(". ")[0]
    run = Run(path.parent.parent.parent)
    mend = f"remove the folder {path.parent} to resume from the previous checkpoint"
    if len(run.steps()) < 2:
        mend = f"it is the only checkpoint: gantk train {run.typed} --fresh starts over"
    return CheckpointError(f"{path} cannot be read: {f'{type(error).__name__}: {reason:.200}'.rstrip(': ')}; {mend}.")


def load_optimizers(optimizers: Mapping[str, torch.optim.Optimizer], states: Mapping[str, Any], where: object) -> None:
    """Load the states of a stage's optimizers from a checkpoint.

    Raises:
        CheckpointError: the states belong to other players.
    """
    if set(states) != set(optimizers):
        raise CheckpointError(f"{where} was written by players {sorted(states)}, not {sorted(optimizers)}.")
    for name, optimizer in optimizers.items():
        # Learning rates come from the settings, which may have changed since.
        usual = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
        try:
            optimizer.load_state_dict(states[name])
            for group, values in zip(optimizer.param_groups, usual, strict=True):
                group.update(values)
        except (ValueError, KeyError, RuntimeError) as error:
            raise CheckpointError(
                f"{where}: the state of '{name}' is of another optimizer: {error}; --fresh starts over."
            ) from error
