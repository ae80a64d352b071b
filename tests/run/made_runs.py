"""Runs that were never trained."""

from __future__ import annotations

from pathlib import Path

from gantk.run.folder import Run


def made(path: Path, *steps: int) -> Run:
    """A run with checkpoints of these steps."""
    path.mkdir(parents=True, exist_ok=True)
    run = Run(path)
    run.rewrite({"seed": 0})
    for step in steps:
        run.checkpoint(step).mkdir(parents=True)
    return run
