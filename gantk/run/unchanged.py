"""Settings that must not change within a run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gantk.errors import CheckpointError, ForeignCheckpoint
from gantk.kinds import LISTS, SLOTS
from gantk.run.folder import Run

__all__ = ["check_same_parts", "check_unchanged", "trained_settings"]

STAGES = "stages."


def trained_settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that must not change within a run, as `path` → value."""
    kept = ("recipe", "seed", *SLOTS, *LISTS, "stages")
    return dict(_leaves({key: spec[key] for key in kept if key in spec}))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def check_same_parts(spec: Mapping[str, Any], file: Path, trained: Mapping[str, Any]) -> None:
    """Check that a checkpoint was trained with the recipe, the seed and the parts of this spec.

    Args:
        spec: the run's spec.
        file: the checkpoint's file that says what it was trained with.
        trained: what it says, as `trained_settings` has it.

    Raises:
        ForeignCheckpoint: one of them differs; the message names it.
    """
    for path, before, after in _differing(spec, trained):
        if not path.startswith(STAGES):
            mend = "restore it, build another run, or start this one over with --fresh"
            raise ForeignCheckpoint(file, f"{path} was {before} when it was trained and is {after}", mend)


def check_unchanged(spec: Mapping[str, Any], checkpoint: Path, trained: Mapping[str, Any]) -> None:
    """Check that a run can resume from a checkpoint with the settings of the stages of this spec.

    Raises:
        CheckpointError: a setting has changed that must not; the message names it.
    """
    run = Run(checkpoint.parent.parent)
    for path, before, after in _differing(spec, trained):
        raise CheckpointError(
            f"{path} was {before} when {checkpoint} was trained and is {after}: "
            f"restore it{_offer(run, path, after)}, build another run, or start this one over with --fresh."
        )


def _differing(spec: Mapping[str, Any], trained: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Path, former and present value of every setting that has changed."""
    now = json.loads(json.dumps(trained_settings(spec)))
    for path in {**trained, **now}:
        if trained.get(path) != now.get(path):
            yield path, trained.get(path), now.get(path)


def _offer(run: Run, path: str, value: Any) -> str:
    """How to change a setting of a stage from a step on, if that is what was changed by hand."""
    if not path.startswith(STAGES) or not isinstance(value, (str, int, float)):
        return ""
    setting = shlex.quote(f"{path}={value}")
    return f" (and to change it from here on, say gantk train {run.typed} --set {setting})"
