"""Checkpoints: tensors as safetensors, everything else as JSON, and a manifest by which damage is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gantk import json_text
from gantk.data.content import is_content
from gantk.errors import CheckpointError, DamagedCheckpoint, ForeignCheckpoint, RunError, UnusableCheckpoint, briefly
from gantk.files import flush_folder
from gantk.memory import ran_out
from gantk.model import Model
from gantk.run.folder import Run
from gantk.run.former import TRAINING_PT, former_training
from gantk.run.machine import machine
from gantk.run.manifest import Manifest, Writing, named_step, read_manifest
from gantk.run.optimizer_states import States, flat, nested, states_of
from gantk.run.position import Place, is_interval, is_possible
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
    "most_for",
    "read_training",
    "read_weights",
    "save",
]

WEIGHTS = "model.safetensors"
OPTIMIZERS = "optimizers.safetensors"
TRAINING = "training.json"
LONGEST = 1 << 24
"""Bytes that `training.json` has at most."""
COPIES = 16
"""How many times the size of a model its optimizers' states have at most."""


@dataclass(frozen=True)
class Training:
    """What a checkpoint contains besides the weights."""

    place: Place
    optimizers: States
    trained: Mapping[str, Any]
    """The settings that it was trained with, as `path` → value."""
    data: Mapping[str, Any]
    """The content of the training data; empty if unknown."""
    interval: Mapping[str, Any]
    """Running means for the next line of the log."""
    former: bool = False
    """Whether an earlier version of gantk wrote it, without a manifest."""


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
            f"{final} cannot be written: {briefly(error)}; earlier checkpoints are intact: "
            f"{'end other programs' if ran_out(error) else 'free some space there'}, then resume with: "
            f"gantk train {run.typed}."
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
        "machine": machine(torch.device(model.device)),
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
        except UnusableCheckpoint as error:
            raise error.advising(f"remove {run}, and build it again") from error


def read_weights(checkpoint: Path, model: Model | None = None) -> dict[str, torch.Tensor]:
    """A checkpoint's weights by name.

    Args:
        checkpoint: its folder.
        model: the model that they are for, if that is known, which limits their size.

    Raises:
        DamagedCheckpoint: the file is damaged, or contains NaN or infinity.
        ForeignCheckpoint: it is much larger than the model.
        CheckpointError: it cannot be read.
    """
    return _manifest(checkpoint).read(WEIGHTS, _finite, most_for(model))


def _finite(content: bytes) -> dict[str, torch.Tensor]:
    """The tensors of a file; looking through them takes place while its digest is computed.

    Raises:
        ValueError: it is not such a file, or a tensor contains NaN or infinity.
    """
    tensors = tensors_of(content)
    if bad := first_not_finite(tensors):
        raise ValueError(f"{bad} contains NaN or infinity")
    return tensors


def most_for(model: Model | None, states: bool = False) -> int | None:
    """Bytes that a file has at most of a model's weights, or of its optimizers' states; `None` if it is not known."""
    if model is None:
        return None
    return size(model.state_dict()) * (COPIES if states else 2)  # weights may be saved in double precision


def check_weights(model: Model, weights: Mapping[str, torch.Tensor], checkpoint: Path) -> None:
    """Check that a checkpoint's weights are those of a model.

    Raises:
        ForeignCheckpoint: names, shapes or types differ.
    """
    if differing := difference(weights, model.state_dict()):
        raise ForeignCheckpoint(checkpoint / WEIGHTS, f"it contains the weights of another model: {differing}")


def load_weights(model: Model, weights: Mapping[str, torch.Tensor], checkpoint: Path) -> None:
    """Load a checkpoint's weights into a model.

    Raises:
        ForeignCheckpoint: names, shapes or types differ from those of the model.
    """
    check_weights(model, weights, checkpoint)
    with model.averaging():
        model.load_state_dict(weights)


def _manifest(checkpoint: Path) -> Manifest:
    found = read_manifest(checkpoint)
    found.check_step()
    found.check_lengths()
    return found


def read_training(checkpoint: Path, model: Model | None = None) -> Training:
    """What a checkpoint contains besides the weights.

    Args:
        checkpoint: its folder.
        model: the model, if it is known, which limits the size of its optimizers' states.

    Raises:
        DamagedCheckpoint: a file is damaged.
        ForeignCheckpoint: a file is much larger than the model.
        CheckpointError: it cannot be read.
    """
    manifest = _manifest(checkpoint)
    most = most_for(model, states=True)
    if manifest.files is None:
        path, found = checkpoint / TRAINING_PT, manifest.read(TRAINING_PT, former_training, most)
    else:
        path, found = checkpoint / TRAINING, manifest.read(TRAINING, json_text.loads, LONGEST)
        tensors = manifest.read(OPTIMIZERS, tensors_of, most)
    try:
        place = Place(**found["place"])
        if not is_possible(place) or place.total != _step(manifest, place.total):
            raise ValueError(f"its place is {place}")
        states = found["optimizers"] if manifest.files is None else nested(tensors, found["players"])
        trained, data, interval = (dict(found[name]) for name in ("trained", "data", "interval"))
        if not is_interval(interval):
            raise ValueError("its running means are of something else")
        if data and not is_content(data):
            raise ValueError("it does not say which data it was trained on")
        return Training(place, states, trained, data, interval, former=manifest.files is None)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedCheckpoint(path, f"{type(error).__name__}: {briefly(error)}") from error


def machine_of(checkpoint: Path) -> dict[str, str]:
    """The machine and the versions that a checkpoint was trained with; empty if an earlier version wrote it.

    Raises:
        DamagedCheckpoint: a file is damaged.
        CheckpointError: it cannot be read.
    """
    manifest = _manifest(checkpoint)
    if manifest.files is None:
        return {}
    found = manifest.read(TRAINING, json_text.loads, LONGEST)
    told = found.get("machine") if isinstance(found, dict) else None
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def _step(manifest: Manifest, otherwise: int) -> int:
    """The step after which a checkpoint was written; that of its folder's name if nothing else says so."""
    return next((step for step in (manifest.step, named_step(manifest.folder)) if step is not None), otherwise)
