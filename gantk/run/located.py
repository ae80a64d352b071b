"""Which run, and which of its checkpoints, a path means."""

from __future__ import annotations

import os

from gantk.errors import UsageError
from gantk.files import place
from gantk.run.folder import CHECKPOINT, PARTS, Run

__all__ = ["located"]


def located(path: str | os.PathLike[str], step: int | None = None) -> tuple[Run, int | None]:
    """The run and the step that a path means: a checkpoint's folder stands for its run and step.

    Raises:
        UsageError: the path names a checkpoint, and `step` another one.
    """
    where = place(path)
    inside = where.absolute()
    for folder in (inside, *inside.parents):
        if (folder / "model.toml").is_file():
            break
    else:
        return Run(where), step
    if folder == inside:
        return Run(where), step
    within = inside.relative_to(folder)
    run = Run(where.parents[len(within.parts) - 1] if len(where.parts) > len(within.parts) else folder)
    found = (
        CHECKPOINT.fullmatch(within.parts[1]) if within.parts[0] == "checkpoints" and len(within.parts) > 1 else None
    )
    if found is None:
        return (run, step) if within.parts[0] in PARTS else (Run(where), step)
    named = int(found.group(1))
    if step not in (None, named):
        raise UsageError(f"{where} is the checkpoint of step {named}, but --step is {step}: leave out one of them.")
    return run, named
