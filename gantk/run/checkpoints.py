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
    """Where training stands: everything else that a step needs follows from it and the run's seed."""

    stage: int = 0
    """Index of the stage."""
    step: int = 0
    """Steps of that stage that are done; all of them where the next one has not begun."""
    total: int = 0
    """Steps of all stages that are done."""


def save(
    run: Run,
    model: Model,
    place: Place,
    optimizers: Mapping[str, torch.optim.Optimizer],
    data: Mapping[str, Any],
    keep: int,
    interval: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint aside, rename it whole, and delete the oldest beyond `keep`.

    Args:
        run: where.
        model: the weights.
        place: where training stands.
        optimizers: those of the stage's players.
        data: what was trained on, as `gantk.data.content.content_of` says it.
        keep: how many checkpoints stay.
        interval: what the next line of the log is the mean of so far, as `Averages.state` says it.

    Raises:
        CheckpointError: it cannot be written; the checkpoints before it stay.
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
    """Make a run of a built model; where it starts from other weights than its seed's, they are kept in `start`.

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
    """Give a model the weights that its run starts from, where it does not start from its seed's.

    Raises:
        CheckpointError: they are gone or damaged.
    """
    if "start" in model.built.spec:
        load_weights(model, run.start)


def _weights(model: Model) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}


def read_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """A checkpoint's weights by name.

    Raises:
        CheckpointError: the file is damaged, or holds NaN or infinity.
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
        CheckpointError: the file is damaged, holds NaN or infinity, or the weights of another model.
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
    """What may not change between the steps of one run, as `path` → value."""
    kept = ("recipe", "seed", *SLOTS, *LISTS, "stages")
    return dict(_leaves({key: spec[key] for key in kept if key in spec}))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def check_unchanged(spec: Mapping[str, Any], checkpoint: Path, trained: Mapping[str, Any]) -> None:
    """Refuse to resume from a checkpoint with a spec that it was not trained with.

    Raises:
        CheckpointError: one has changed; the message names it.
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
    """How a setting of a stage is changed from a step on, where that is what somebody did by hand."""
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
    # What torch says of a file that is no checkpoint is how to have it run its code.
    reason = "" if isinstance(error, pickle.UnpicklingError) else briefly(error).partition(". ")[0]
    run = Run(path.parent.parent.parent)
    mend = f"remove the folder {path.parent} to resume from the previous checkpoint"
    if len(run.steps()) < 2:
        mend = f"it is the only checkpoint: gantk train {run.typed} --fresh starts over"
    return CheckpointError(f"{path} cannot be read: {f'{type(error).__name__}: {reason:.200}'.rstrip(': ')}; {mend}.")


def load_optimizers(optimizers: Mapping[str, torch.optim.Optimizer], states: Mapping[str, Any], where: object) -> None:
    """Give a stage's optimizers the states of a checkpoint.

    Raises:
        CheckpointError: the states belong to other players.
    """
    if set(states) != set(optimizers):
        raise CheckpointError(f"{where} was written by players {sorted(states)}, not {sorted(optimizers)}.")
    for name, optimizer in optimizers.items():
        # Rates are those of the settings, which may have changed since then.
        usual = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
        try:
            optimizer.load_state_dict(states[name])
            for group, values in zip(optimizer.param_groups, usual, strict=True):
                group.update(values)
        except (ValueError, KeyError, RuntimeError) as error:
            raise CheckpointError(
                f"{where}: the state of '{name}' is of another optimizer: {error}; --fresh starts over."
            ) from error
