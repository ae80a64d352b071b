"""Checkpoints: tensors as safetensors, everything else as JSON, and a manifest by which damage is found."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from gantk.errors import CheckpointError, DamagedCheckpoint, GantkWarning, RunError, briefly
from gantk.files import flush_folder
from gantk.model import Model
from gantk.run.folder import Run
from gantk.run.former import TRAINING_PT, former_training
from gantk.run.manifest import MANIFEST, Manifest, Writing, read_manifest
from gantk.run.optimizer_states import States, flat, nested, states_of
from gantk.run.tensors import difference, first_not_finite, pieces, size, tensors_of
from gantk.run.unchanged import trained_settings

__all__ = [
    "OPTIMIZERS",
    "TRAINING",
    "WEIGHTS",
    "Place",
    "Training",
    "check_weights",
    "create",
    "load_start",
    "load_weights",
    "newest",
    "read_training",
    "read_weights",
    "save",
    "skipped",
    "weights_at",
]

T = TypeVar("T")

WEIGHTS = "model.safetensors"
OPTIMIZERS = "optimizers.safetensors"
TRAINING = "training.json"
LONGEST = 1 << 26
"""Bytes that `training.json` has at most."""
COPIES = 16
"""How many times the size of a model its optimizers' states have at most."""


@dataclass(frozen=True)
class Place:
    """The position of training; together with the run's seed, it determines everything that a step needs."""

    stage: int = 0
    """Index of the stage."""
    step: int = 0
    """Finished steps of that stage; all of its steps until the next stage begins."""
    total: int = 0
    """Finished steps of all stages."""


@dataclass(frozen=True)
class Training:
    """What a checkpoint holds beside the weights."""

    place: Place
    optimizers: States
    trained: Mapping[str, Any]
    """The settings that it was trained with, as `path` → value."""
    data: Mapping[str, Any]
    """The content of the training data; empty if unknown."""
    interval: Mapping[str, Any]
    """Running means for the next line of the log."""
    former: bool = False
    """Whether gantk 0.1 wrote it, without a manifest."""


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
    aside, final = run.unfinished(place.total), run.checkpoint(place.total)
    try:
        run.checkpoints_folder.mkdir(parents=True, exist_ok=True)
        run.clean(keep)
        aside.mkdir()
        _write(aside, model, place, optimizers, data, interval or {})
        aside.rename(final)
        flush_folder(run.checkpoints_folder)
        flush_folder(run.path)
        run.clean(keep)
    except (OSError, RuntimeError, ValueError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise CheckpointError(
            f"{final} cannot be written: {briefly(error)}; "
            f"earlier checkpoints are intact: free some space there, then resume with: gantk train {run.typed}."
        ) from error
    return final


def _write(
    folder: Path,
    model: Model,
    place: Place,
    optimizers: Mapping[str, torch.optim.Optimizer],
    data: Mapping[str, Any],
    interval: Mapping[str, Any],
) -> None:
    states, others = flat(states_of(optimizers))
    about = {
        "place": asdict(place),
        "players": others,
        "trained": trained_settings(model.built.spec),
        "data": data,
        "interval": interval,
    }
    writing = Writing(folder)
    with model.averaging():
        writing.write(WEIGHTS, pieces(model.state_dict()))
    writing.write(OPTIMIZERS, pieces(states))
    writing.write(TRAINING, [json.dumps(about).encode()])
    writing.seal(place.total)


def create(run: Run, model: Model) -> None:
    """Create a run of a built model; if its weights are not the initial ones of its seed, they are saved in `start`.

    Raises:
        UsageError: there is something in that place already.
        RunError: the place cannot be written.
    """
    run.create(model.built.spec)
    if "start" in model.built.spec:
        try:
            run.start.mkdir()
            writing = Writing(run.start)
            with model.averaging():
                writing.write(WEIGHTS, pieces(model.state_dict()))
            writing.seal(0)
            flush_folder(run.path)
        except (OSError, ValueError) as error:
            raise RunError(
                f"{run.start} cannot be written: {briefly(error)}; remove {run}, and build it again."
            ) from error


def load_start(run: Run, model: Model) -> None:
    """Load the weights that a run starts from, unless it starts from the initial ones of its seed.

    Raises:
        CheckpointError: they are missing or damaged.
    """
    if "start" in model.built.spec:
        try:
            load_weights(model, read_weights(run.start, model), run.start)
        except DamagedCheckpoint as error:
            raise DamagedCheckpoint(error.path, error.reason, f"remove {run}, and build it again") from error


def read_weights(checkpoint: Path, model: Model | None = None) -> dict[str, torch.Tensor]:
    """A checkpoint's weights by name.

    Args:
        checkpoint: its folder.
        model: the model that they are for, if that is known, which limits their size.

    Raises:
        DamagedCheckpoint: the file is damaged, or contains NaN or infinity.
        CheckpointError: it cannot be read, or is much larger than the model.
    """
    most = None if model is None else size(model.state_dict()) * 2  # a model may be saved in double precision
    weights = _manifest(checkpoint).read(WEIGHTS, tensors_of, most)
    if bad := first_not_finite(weights):
        raise DamagedCheckpoint(checkpoint / WEIGHTS, f"{bad} contains NaN or infinity")
    return weights


def check_weights(model: Model, weights: Mapping[str, torch.Tensor], checkpoint: Path) -> None:
    """Check that a checkpoint's weights are those of a model.

    Raises:
        CheckpointError: names, shapes or types differ.
    """
    if differing := difference(weights, model.state_dict()):
        raise CheckpointError(
            f"{checkpoint / WEIGHTS} contains the weights of another model: {differing}; "
            "gantk train --fresh starts over."
        )


def load_weights(model: Model, weights: Mapping[str, torch.Tensor], checkpoint: Path) -> None:
    """Load a checkpoint's weights into a model.

    Raises:
        CheckpointError: names, shapes or types differ from those of the model.
    """
    check_weights(model, weights, checkpoint)
    with model.averaging():
        model.load_state_dict(weights)


def weights_at(run: Run, step: int | None, model: Model | None = None) -> tuple[Path, dict[str, torch.Tensor]]:
    """A checkpoint and its weights: that of a step, or the newest that is whole; warns if others are damaged.

    Raises:
        CheckpointError: it is damaged, or the run has never been trained, or none of its checkpoints is whole.
        UsageError: there is no checkpoint of that step.
    """

    def read(checkpoint: Path) -> tuple[Path, dict[str, torch.Tensor]]:
        return checkpoint, read_weights(checkpoint, model)

    if step is None:
        found, damaged = newest(run, read)
        if damaged:
            warnings.warn(f"{skipped(damaged)}; using {found[0]}", GantkWarning, stacklevel=3)
        return found
    checkpoint = run.at(step)
    try:
        return read(checkpoint)
    except DamagedCheckpoint as error:
        others = ", ".join(str(each) for each in run.steps() if each != step)
        mend = f"use another step: {others}" if others else f"it is the only checkpoint; {_again(run)}"
        raise DamagedCheckpoint(error.path, error.reason, mend) from error


def newest(run: Run, read: Callable[[Path], T]) -> tuple[T, list[DamagedCheckpoint]]:
    """What is read from the newest checkpoint that is whole, and what is wrong with newer ones.

    Raises:
        CheckpointError: there is no checkpoint, or none is whole.
    """
    run.latest()
    damaged: list[DamagedCheckpoint] = []
    for step in reversed(run.steps()):
        try:
            return read(run.checkpoint(step)), damaged
        except DamagedCheckpoint as error:
            damaged.append(error)
    first, *more = damaged
    mend = f"no other checkpoint is whole ({len(more)} more)" if more else "it is the only checkpoint"
    raise DamagedCheckpoint(first.path, first.reason, f"{mend}; {_again(run)}")


def skipped(damaged: Sequence[DamagedCheckpoint]) -> str:
    """What is said of damaged checkpoints that are not used."""
    more = f" (and {len(damaged) - 1} before it)" if len(damaged) > 1 else ""
    return f"{damaged[0].path} is damaged{more}: {damaged[0].reason}"


def _again(run: Run) -> str:
    return f"gantk train {run.typed} --fresh starts over"


def _manifest(checkpoint: Path) -> Manifest:
    found, named = read_manifest(checkpoint), re.fullmatch(r"step-(\d+)", checkpoint.name)
    if named and found.step not in (None, int(named.group(1))):
        raise DamagedCheckpoint(checkpoint / MANIFEST, f"it is of step {found.step}")
    found.check_lengths()
    return found


def read_training(checkpoint: Path, model: Model | None = None) -> Training:
    """What a checkpoint holds beside the weights.

    Args:
        checkpoint: its folder.
        model: the model, if it is known, which limits the size of its optimizers' states.

    Raises:
        DamagedCheckpoint: a file is damaged.
        CheckpointError: it cannot be read.
    """
    manifest = _manifest(checkpoint)
    most = None if model is None else COPIES * size(model.state_dict())
    if manifest.files is None:
        path, found = checkpoint / TRAINING_PT, manifest.read(TRAINING_PT, former_training, most)
    else:
        path, found = checkpoint / TRAINING, manifest.read(TRAINING, json.loads, LONGEST)
        tensors = manifest.read(OPTIMIZERS, tensors_of, most)
    try:
        place = Place(**found["place"])
        if not _possible(place) or manifest.step not in (None, place.total):
            raise ValueError(f"its place is {place}")
        states = found["optimizers"] if manifest.files is None else nested(tensors, found["players"])
        trained, data, interval = (dict(found[name]) for name in ("trained", "data", "interval"))
        return Training(place, states, trained, data, interval, former=manifest.files is None)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedCheckpoint(path, f"{type(error).__name__}: {briefly(error)}") from error


def _possible(place: Place) -> bool:
    """Whether training can be in this position."""
    if not all(type(count) is int and count >= 0 for count in astuple(place)):
        return False
    if place.step == 0:  # at the beginning of a stage
        return (place.stage == 0) == (place.total == 0)
    return place.total == place.step if place.stage == 0 else place.total > place.step
