"""Train the runs of a sweep: one after another in this process, or several at once in their own processes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from gantk.building.assembly import assemble
from gantk.building.code import code_flags
from gantk.errors import GantkError, Interrupted
from gantk.run.folder import Run
from gantk.training import train
from gantk.training.signals import stop_on_signals

__all__ = ["train_all", "training_command"]

Say = Callable[[str], object]

PAUSE = 0.2
"""Seconds between two checks of the processes."""

AGAIN = "resume with the same gantk sweep"


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
    return _one_by_one(runs, say) if jobs == 1 else _at_once(runs, jobs, say)


def _one_by_one(runs: Sequence[Run], say: Say) -> dict[str, str]:
    failed = {}
    for number, run in enumerate(runs, 1):
        say(f"training {number} of {len(runs)}: {run}")
        try:
            train(assemble(run.spec()), run)
        except Interrupted as error:
            raise _stopped(error.signal_number) from error
        except GantkError as error:
            failed[str(run)] = str(error).rstrip(".")
            say(f"{run} failed: {failed[str(run)]}")
    return failed


def _stopped(number: int) -> Interrupted:
    return Interrupted(f"stopped by {signal.Signals(number).name}; everything is saved, {AGAIN}", number)


@dataclass(frozen=True)
class _Job:
    run: Run
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    """Its standard error."""

    def last_line(self) -> str:
        self.said.seek(0)
        lines = [line for line in self.said.read().decode(errors="replace").splitlines() if line.strip()]
        return (
            lines[-1].removeprefix("gantk: ").removeprefix("error: ").rstrip(".")
            if lines
            else "no message on standard error"
        )


def _at_once(runs: Sequence[Run], jobs: int, say: Say) -> dict[str, str]:
    waiting, running, failed = list(runs), list[_Job](), dict[str, str]()
    with stop_on_signals() as stop:
        stop.doing = "stopping the trainings"
        try:
            told = False
            while running or (waiting and not stop):
                while waiting and not stop and len(running) < jobs:
                    say(f"training {len(runs) - len(waiting) + 1} of {len(runs)}: {waiting[0]}")
                    running.append(_start(waiting.pop(0), jobs))
                if stop.signal is not None and not told:
                    _tell(running, stop.signal)
                    told = True
                time.sleep(PAUSE)
                for job in [job for job in running if job.process.poll() is not None]:
                    running.remove(job)
                    if job.process.returncode and not stop:
                        failed[str(job.run)] = job.last_line()
                        say(f"{job.run} failed: {job.last_line()}")
                    job.said.close()
        finally:
            _tell(running, signal.SIGTERM)  # after a second signal, do not wait
        if stop.signal is not None:
            raise _stopped(stop.signal.value)
    return failed


def _start(run: Run, jobs: int) -> _Job:
    """Start a process in its own session, so that Ctrl-C in the terminal does not reach it; this process signals it."""
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its job
    process = subprocess.Popen(
        training_command(run),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )
    return _Job(run, process, said)


def training_command(run: Run) -> list[str]:
    """The command that trains a run in its own process."""
    return [sys.executable, "-m", "gantk", "train", str(run), *shlex.split(code_flags())]


def _tell(running: Sequence[_Job], number: signal.Signals) -> None:
    for job in running:
        if job.process.poll() is None:
            job.process.send_signal(number)
