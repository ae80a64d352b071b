"""Set aside what training wrote: all of it, before a run starts over, or a checkpoint that is damaged."""

from __future__ import annotations

import os
from pathlib import Path

from gantk.files import flush_folder, read_whole, replace_file
from gantk.run.folder import PARTS, Run

__all__ = ["half_set_aside", "set_aside", "set_damaged_aside"]

MORE = ("history.toml", "metrics.json", "report.html", "precision.json", "wandb", "mlflow")
"""Further files that training writes."""


def set_aside(run: Run) -> Path | None:
    """Move everything that training wrote into `old-1`, or the next free number, which is a run itself.

    Returns:
        its path; `None` if there was nothing to move.
    """
    run.check_own()
    made = [entry for entry in run.path.iterdir() if entry.name in (*PARTS, *MORE) and entry != run.model_toml]
    unfinished = run.aside_folder
    if not made and not unfinished.exists():
        return None
    number = 1
    while os.path.lexists(aside := run.path / f"old-{number}"):
        number += 1
    unfinished.mkdir(exist_ok=True)
    replace_file(unfinished / run.model_toml.name, read_whole(run.model_toml))
    for entry in sorted(made, key=lambda entry: entry == run.checkpoints_folder):  # the last, they decide
        entry.rename(unfinished / entry.name)
    flush_folder(unfinished)
    unfinished.rename(aside)
    flush_folder(run.path)
    return aside


def half_set_aside(run: Run) -> bool:
    """Whether a process was stopped while it set aside what training wrote."""
    return run.aside_folder.exists()


def set_damaged_aside(checkpoint: Path) -> Path:
    """Rename a damaged checkpoint, so that it is kept, but not taken for one; returns its new path."""
    name, number = f"damaged-{checkpoint.name}", 1
    while os.path.lexists(aside := checkpoint.with_name(name if number == 1 else f"{name}-{number}")):
        number += 1
    return checkpoint.rename(aside)
