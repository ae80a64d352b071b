"""Train the runs of a sweep: one after another in this process, or several at once in their own processes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gantk.building.code import code_flags
from gantk.building.load import reopened
from gantk.building.settings import path_of
from gantk.errors import GantkError, Interrupted
from gantk.permissions import DEVICES, allowing_downloads, asks_for_downloads
from gantk.run.folder import Run
from gantk.sweeps.processes import Work, run_at_once, stopped
from gantk.training import train

__all__ = ["Allowed", "train_all", "training_command"]

Say = Callable[[str], object]

AGAIN = "gantk sweep"


@dataclass(frozen=True)
class Allowed:
    """What the user of a sweep allows its runs, by saying it of all of them."""

    downloads: bool = False
    devices: frozenset[str] = frozenset()
    """Numbers of devices."""

    @classmethod
    def by(cls, parts: Mapping[str, Any], settings: Sequence[str]) -> Allowed:
        """What the parts and settings of a sweep, as they are typed, allow."""
        devices = [each.partition("=")[2] for each in settings if path_of(each) == DEVICES]
        numbers = (number.strip() for each in devices for number in each.split("|"))
        return cls(asks_for_downloads([parts, list(settings)]), frozenset(numbers))

    def settings(self, run: Run) -> list[str]:
        """Settings of a run that are said again, since a run alone may not say them."""
        number = str(run.spec().get("train", {}).get("devices", 1))
        return [f"{DEVICES}={number}"] if number in self.devices else []


def train_all(runs: Sequence[Run], jobs: int, say: Say, allowed: Allowed) -> dict[str, str]:
    """Train or resume runs.

    Args:
        runs: the runs that are not finished.
        jobs: number of runs to train at once; with 1, they are trained in this process.
        say: receives progress messages.
        allowed: what the runs may do.

    Returns:
        run → the reason why its training failed; a failure does not stop the others.

    Raises:
        Interrupted: SIGINT or SIGTERM was received; the current runs are saved.
    """
    if jobs == 1:
        return _one_by_one(runs, say, allowed)
    return run_at_once([Work(str(run), training_command(run, allowed)) for run in runs], jobs, AGAIN, say)


def _one_by_one(runs: Sequence[Run], say: Say, allowed: Allowed) -> dict[str, str]:
    failed = {}
    for number, run in enumerate(runs, 1):
        say(f"training {number} of {len(runs)}: {run}")
        try:
            with allowing_downloads(allowed.downloads):
                train(reopened(run), run, settings=allowed.settings(run))
        except Interrupted as error:
            raise stopped(error.signal_number, AGAIN) from error
        except GantkError as error:
            failed[str(run)] = str(error).rstrip(".")
            say(f"{run} failed: {failed[str(run)]}")
    return failed


def training_command(run: Run, allowed: Allowed) -> list[str]:
    """The command that trains a run in its own process."""
    said = ["--allow-download"] if allowed.downloads else []
    said += [word for setting in allowed.settings(run) for word in ("--set", setting)]
    return [sys.executable, "-m", "gantk", "train", str(run), *said, *shlex.split(code_flags())]
