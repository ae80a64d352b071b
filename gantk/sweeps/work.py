"""Train the runs of a sweep: one after another in this process, or several at once in their own processes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence

from gantk.building.assembly import assemble
from gantk.building.code import code_flags
from gantk.errors import GantkError, Interrupted
from gantk.run.folder import Run
from gantk.sweeps.processes import Work, run_at_once, stopped
from gantk.training import train

__all__ = ["train_all", "training_command"]

Say = Callable[[str], object]

AGAIN = "gantk sweep"


def train_all(runs: Sequence[Run], jobs: int, say: Say) -> dict[str, str]:
    """Train or resume runs.

    Args:
        runs: the runs that are not finished.
        jobs: number of runs to train at once; with 1, they are trained in this process.
        say: receives progress messages.

    Returns:
        run → the reason why its training failed; a failure does not stop the others.

    Raises:
        Interrupted: SIGINT or SIGTERM was received; the current runs are saved.
    """
    if jobs == 1:
        return _one_by_one(runs, say)
    return run_at_once([Work(str(run), training_command(run)) for run in runs], jobs, AGAIN, say)


def _one_by_one(runs: Sequence[Run], say: Say) -> dict[str, str]:
    failed = {}
    for number, run in enumerate(runs, 1):
        say(f"training {number} of {len(runs)}: {run}")
        try:
            train(assemble(run.spec()), run)
        except Interrupted as error:
            raise stopped(error.signal_number, AGAIN) from error
        except GantkError as error:
            failed[str(run)] = str(error).rstrip(".")
            say(f"{run} failed: {failed[str(run)]}")
    return failed


def training_command(run: Run) -> list[str]:
    """The command that trains a run in its own process."""
    return [sys.executable, "-m", "gantk", "train", str(run), *shlex.split(code_flags())]
