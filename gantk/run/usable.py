"""Which checkpoint is used: the newest that is whole and fits the run, and what is said of the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from gantk.errors import CheckpointError, DamagedCheckpoint, GantkWarning, UnusableCheckpoint
from gantk.model import Model
from gantk.run.checkpoints import check_weights, read_weights
from gantk.run.folder import Run

__all__ = ["newest", "skipped", "weights_at"]

T = TypeVar("T")


def weights_at(run: Run, step: int | None, model: Model | None = None) -> tuple[Path, dict[str, torch.Tensor]]:
    """A checkpoint and its weights: that of a step, or the newest that can be used; warns if newer ones cannot.

    Args:
        run: the run.
        step: the step; `None` for the newest.
        model: the run's model, if it is known, which the weights must fit.

    Raises:
        UnusableCheckpoint: it is damaged or of another model, or all are.
        CheckpointError: it cannot be read, or the run has never been trained.
        UsageError: there is no checkpoint of that step.
    """

    def read(checkpoint: Path) -> tuple[Path, dict[str, torch.Tensor]]:
        weights = read_weights(checkpoint, model)
        if model is not None:
            check_weights(model, weights, checkpoint)
        return checkpoint, weights

    if step is None:
        found, unusable = newest(run, read)
        if unusable:
            warnings.warn(f"{skipped(unusable)}; using {found[0]}", GantkWarning, stacklevel=3)
        return found
    checkpoint = run.at(step)
    try:
        return read(checkpoint)
    except UnusableCheckpoint as error:
        others = [each for each in run.steps() if each != step]
        if usable := [str(each) for each in others if _works(read, run.checkpoint(each))]:
            raise error.advising(f"use another step: {', '.join(usable)}") from error
        raise error.advising(_mend(run, error, len(others))) from error


def newest(run: Run, read: Callable[[Path], T]) -> tuple[T, list[UnusableCheckpoint]]:
    """What is read from the newest checkpoint that can be used, and what is wrong with newer ones.

    Raises:
        UnusableCheckpoint: there is none.
        CheckpointError: the run has never been trained, or a checkpoint cannot be read.
    """
    run.latest()
    unusable: list[UnusableCheckpoint] = []
    for step in reversed(run.steps()):
        try:
            return read(run.checkpoint(step)), unusable
        except UnusableCheckpoint as error:
            unusable.append(error)
    first, *more = unusable
    raise first.advising(first.mend or _mend(run, first, len(more)))


def skipped(unusable: Sequence[UnusableCheckpoint]) -> str:
    """What is said of checkpoints that cannot be used."""
    first, more = unusable[0], f" (and {len(unusable) - 1} before it)" if len(unusable) > 1 else ""
    return f"{first.path} {first.says}{more}: {first.reason}"


def _works(read: Callable[[Path], object], checkpoint: Path) -> bool:
    try:
        read(checkpoint)
    except CheckpointError:
        return False
    return True


def _mend(run: Run, error: UnusableCheckpoint, others: int) -> str:
    """What to do if this many other checkpoints cannot be used either."""
    damaged = isinstance(error, DamagedCheckpoint)
    alone = f"no other checkpoint {'is whole' if damaged else 'fits'} ({others} more)"
    restore = "" if damaged else f"restore {run.model_toml} if it was changed, or "
    return f"{alone if others else 'it is the only checkpoint'}; {restore}gantk train {run.typed} --fresh starts over"
