"""Where training resumes: at the newest checkpoint that is whole and of this run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch

from gantk.errors import CheckpointError, DamagedCheckpoint, ForeignCheckpoint, UnusableCheckpoint
from gantk.model import Model
from gantk.run.checkpoints import TRAINING, Training, load_weights, read_training, read_weights
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.history import read_history
from gantk.run.manifest import named_step, read_manifest
from gantk.run.unchanged import check_same_parts, check_unchanged
from gantk.run.usable import newest, skipped
from gantk.training.changes import replayed
from gantk.training.fabric import Fabric

__all__ = ["resume"]

NOTHING = -1
"""The step of a device that can use no checkpoint."""


def resume(
    run: Run, model: Model, fabric: Fabric, say: Callable[[str], None]
) -> tuple[Training, list[UnusableCheckpoint]]:
    """Load the newest checkpoint that can be used into a model, and say from where training resumes and what is lost.

    Returns:
        what the checkpoint contains besides the weights, and what is wrong with newer ones.

    Raises:
        CheckpointError: no checkpoint can be used, a setting was changed that must not change, or devices would resume
            from different checkpoints.
    """
    try:
        state, unusable = newest(run, lambda checkpoint: _loaded(run, model, checkpoint))
    except Exception:
        _of_all(fabric, NOTHING)  # the other devices wait for it
        raise
    total = state.place.total
    steps = _of_all(fabric, total)
    if set(steps) != {total}:
        found = ", ".join("none" if step == NOTHING else f"that of step {step}" for step in steps)
        raise CheckpointError(f"{run}: devices read different checkpoints ({found}): give all of them the same files.")
    if text := _text(run, total, unusable):
        say(text)
    if state.former:
        say("this checkpoint has no checksums, as an earlier version of gantk wrote it; the next one has them")
    return state, unusable


def _of_all(fabric: Fabric, step: int) -> list[int]:
    """The steps that the devices would resume from, in their order."""
    found = fabric.all_gather(torch.tensor([step], device=fabric.device))
    return [int(each) for each in cast(torch.Tensor, found).flatten()]


def _loaded(run: Run, model: Model, checkpoint: Path) -> Training:
    """Load a checkpoint into a model, once all of it is known to be whole and of this run."""
    state, stages = read_training(checkpoint, model), model.built.stages
    check_same_parts(model.built.spec, checkpoint / TRAINING, state.trained)
    weights = read_weights(checkpoint, model)
    check_unchanged(replayed(model.built.spec, read_history(run), state.place.total), checkpoint, state.trained)
    if state.place.stage >= len(stages):
        raise DamagedCheckpoint(checkpoint / TRAINING, f"it is in stage {state.place.stage + 1} of {len(stages)}")
    load_weights(model, weights, checkpoint)
    return state


def _text(run: Run, total: int, unusable: Sequence[UnusableCheckpoint]) -> str:
    if unusable:
        many = _trained(run, unusable) - total
        again = f"{many} step{'s' * (many != 1)}" if many > 0 else "the steps"
        again += " after it are trained again"
        return f"{skipped(unusable)}; resuming from {run.checkpoint(total)}: {again}"
    # A checkpoint of step 0 holds the weights that training starts from.
    return f"resuming from {run.checkpoint(total)}" if total else ""


def _trained(run: Run, unusable: Sequence[UnusableCheckpoint]) -> int:
    """The last step that the run is known to have finished, by its log and by what checkpoints say of themselves."""
    ours = (each.path.parent for each in unusable if not isinstance(each, ForeignCheckpoint))
    logged = (int(entry["step"]) for entry in read_log(run.log_file))
    return max([0, *logged, *map(_step, ours)])


def _step(checkpoint: Path) -> int:
    """What a checkpoint's manifest says, or else its name."""
    try:
        step = read_manifest(checkpoint).step
    except CheckpointError:
        step = None
    return (named_step(checkpoint) or 0) if step is None else step
