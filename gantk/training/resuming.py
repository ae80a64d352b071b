"""Where training resumes: at the newest checkpoint that is whole and of this run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lightning_fabric import Fabric

from gantk.errors import CheckpointError, DamagedCheckpoint
from gantk.model import Model
from gantk.run.checkpoints import TRAINING, Training, load_weights, newest, read_training, read_weights, skipped
from gantk.run.folder import Run
from gantk.run.history import read_history
from gantk.run.unchanged import check_unchanged
from gantk.training.changes import replayed

__all__ = ["resume"]


def resume(
    run: Run, model: Model, fabric: Fabric, say: Callable[[str], None]
) -> tuple[Training, list[DamagedCheckpoint]]:
    """Load the newest whole checkpoint into a model, and say from where training resumes and what is lost.

    Returns:
        what the checkpoint holds beside the weights, and what is wrong with newer ones.

    Raises:
        CheckpointError: no checkpoint is whole, or a setting was changed that must not change.
    """
    state, damaged = newest(run, lambda checkpoint: _loaded(run, model, checkpoint))
    total = state.place.total
    if fabric.world_size > 1 and fabric.broadcast(total) != total:
        raise CheckpointError(f"{run}: not every device can read the newest checkpoint.")
    if text := _text(run, total, damaged):
        say(text)
    if state.former:
        say("this checkpoint is of gantk 0.1 and has no checksums; the next one is saved with them")
    return state, damaged


def _loaded(run: Run, model: Model, checkpoint: Path) -> Training:
    """Load a checkpoint into a model, once all of it is known to be whole and of this run."""
    state, stages = read_training(checkpoint, model), model.built.stages
    check_unchanged(replayed(model.built.spec, read_history(run), state.place.total), checkpoint, state.trained)
    if state.place.stage >= len(stages):
        raise DamagedCheckpoint(checkpoint / TRAINING, f"it is in stage {state.place.stage + 1} of {len(stages)}")
    load_weights(model, read_weights(checkpoint, model), checkpoint)
    return state


def _text(run: Run, total: int, damaged: Sequence[DamagedCheckpoint]) -> str:
    if damaged:
        many = run.steps()[-1] - total
        again = f"{many} step{'s' * (many != 1)} after it are trained again"
        return f"{skipped(damaged)}; resuming from {run.checkpoint(total)}: {again}"
    # A checkpoint of step 0 holds the weights that training starts from.
    return f"resuming from {run.checkpoint(total)}" if total else ""
