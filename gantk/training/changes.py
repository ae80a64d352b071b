"""Changes within a run: which are possible at its current step, and which settings applied at earlier steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gantk.building.stage_settings import stages_with
from gantk.errors import DataError, UsageError
from gantk.model import Model
from gantk.run.checkpoints import Place
from gantk.run.history import Change, difference, leaves, undone
from gantk.schedule import Stage

__all__ = ["Segment", "change_text", "check_data", "check_possible", "replayed", "segments"]

STRUCTURE = {
    "batch_size": "the position in the data is counted in batches",
    "repeats": "the position in the data is counted in turns",
    "optimizer": "the state of one optimizer cannot be used by another",
    "amsgrad": "the state of the optimizer has no values for it",
    "centered": "the state of the optimizer has no values for it",
}
"""Settings that cannot change after a stage has begun → the reason."""


def check_possible(before: Sequence[Stage], after: Sequence[Stage], place: Place, images: int) -> None:
    """Check that changes are possible at the run's current step.

    Raises:
        UsageError: a stage is finished, or it has begun and the setting can no longer change.
    """
    for index, (stage, changed) in enumerate(zip(before, after, strict=True)):
        names = _changed([stage], [changed])
        if not names or index > place.stage:
            continue
        if index < place.stage:
            others = _changed(before[place.stage :], after[place.stage :])
            mend = f": set {' and '.join(others)} instead" if others else ""
            raise UsageError(f"{names[0]}: stage '{stage.name}' is finished and can no longer change{mend}.")
        if place.step == 0:
            continue
        for name in names:
            setting = name.rpartition(".")[2]
            reason = STRUCTURE.get(setting) or (STRUCTURE["amsgrad"] if setting == "momentum" else "")
            if reason:
                raise UsageError(
                    f"{name}: stage '{stage.name}' has started ({place.step} steps are done), so this cannot change: "
                    f"{reason}; --fresh starts over."
                )
        steps = changed.steps(images)
        if stage.length != changed.length and steps < place.step:
            raise UsageError(
                f"stages.{stage.name}.length: {changed.length} is {steps} steps, but {place.step} are done; "
                f"use {place.step} steps or more."
            )


def _changed(before: Sequence[Stage], after: Sequence[Stage]) -> list[str]:
    """The settings in which stages differ, such as `stages.game.length`."""
    found: list[str] = []
    for stage, changed in zip(before, after, strict=True):
        was, now = difference(stage.settings(), changed.settings())
        found += leaves({**was, **now}, f"stages.{stage.name}")
    return found


def check_data(difference: str, where: str, typed: str, from_python: bool = False) -> None:
    """Raise a `DataError` that says how to resume if the data differs from the data that a run was trained on."""
    if not difference:
        return
    mend = f"To continue with this data: gantk train {typed} --accept-data; if the data moved: --data PATH"
    if from_python:
        mend = "To continue with this data: gantk.train(…, accept_data=True)"
    raise DataError(f"the data differs from that of {where}: {difference}. {mend}.")


def replayed(spec: Mapping[str, Any], changes: Sequence[Change], step: int) -> dict[str, Any]:
    """The spec with the stages' settings at the time of a checkpoint."""
    before = undone(spec, [change for change in changes if change.step >= step])
    return {**spec, "stages": before["stages"]}


@dataclass(frozen=True)
class Segment:
    """A part of training with constant settings.

    Args:
        until: the last step of this segment; `None` for the last segment.
        stages: all stages with the settings of this segment.
        spec: the spec of this segment.
    """

    until: int | None
    stages: list[Stage]
    spec: dict[str, Any]


def segments(model: Model, changes: Sequence[Change], total: int) -> list[Segment]:
    """The segments from a step on.

    There is more than one only if a run resumes from a checkpoint that is older than a change.
    """
    spec = model.built.spec
    found = [Segment(None, model.built.stages, spec)]
    for until in sorted({change.step for change in changes if change.step > total}, reverse=True):
        before = undone(spec, [change for change in changes if change.step >= until])
        then = {**spec, "stages": before["stages"]}
        if then["stages"] != found[0].spec["stages"]:
            found.insert(0, Segment(until, stages_with(model, then["stages"]), then))
    return found


def change_text(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """`stages.game.length = 20 epochs (was 10 epochs)`."""
    before, after = leaves(was), leaves(now)
    found = [
        f"{path} = {value}" + (f" (was {before[path]})" if path in before else "") for path, value in after.items()
    ]
    return "; ".join([*found, *(f"no {path} (was {value})" for path, value in before.items() if path not in after)])
