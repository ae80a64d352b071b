"""Several processes at once, which are stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from gantk.errors import Interrupted
from gantk.training.signals import stop_on_signals

__all__ = ["Work", "run_at_once", "stopped"]

PAUSE = 0.2
"""Seconds between two checks of the processes."""


@dataclass(frozen=True)
class Work:
    """What one process does."""

    name: str
    """Its name in messages."""
    command: Sequence[str]


@dataclass(frozen=True)
class _Job:
    work: Work
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


def run_at_once(
    works: Sequence[Work],
    jobs: int,
    again: str,
    say: Callable[[str], object],
    watch: Callable[[], object] | None = None,
) -> dict[str, str]:
    """Run commands, several at once.

    Args:
        works: the commands.
        jobs: number of processes at once; they share the processor's cores.
        again: the command that resumes, such as `gantk sweep`.
        say: receives progress messages.
        watch: called regularly and after the end; without it, the start of each command is said.

    Returns:
        name → the reason why a process failed; a failure does not stop the others.

    Raises:
        Interrupted: SIGINT or SIGTERM was received, and passed on to the processes, which have ended.
    """
    waiting, running, failed = list(works), list[_Job](), dict[str, str]()
    with stop_on_signals() as stop:
        stop.doing = "stopping the trainings"
        try:
            told = False
            while running or (waiting and not stop):
                while waiting and not stop and len(running) < jobs:
                    if watch is None:
                        say(f"training {len(works) - len(waiting) + 1} of {len(works)}: {waiting[0].name}")
                    running.append(_start(waiting.pop(0), jobs))
                if stop.signal is not None and not told:
                    _tell(running, stop.signal)
                    told = True
                time.sleep(PAUSE)
                if watch is not None:
                    watch()
                for job in [job for job in running if job.process.poll() is not None]:
                    running.remove(job)
                    if job.process.returncode and not stop:
                        failed[job.work.name] = job.last_line()
                        say(f"{job.work.name} failed: {job.last_line()}")
                    job.said.close()
        finally:
            _tell(running, signal.SIGTERM)  # after a second signal, do not wait
        if stop.signal is not None:
            raise stopped(stop.signal.value, again)
    return failed


def stopped(number: int, again: str) -> Interrupted:
    """The error of a command that was stopped by a signal and can be resumed."""
    return Interrupted(
        f"stopped by {signal.Signals(number).name}; everything is saved, resume with the same {again}", number
    )


def _start(work: Work, jobs: int) -> _Job:
    """Start a process in its own session, so that Ctrl-C in the terminal does not reach it; this process signals it."""
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    waiting = {"OMP_WAIT_POLICY": "PASSIVE"} if jobs > 1 else {}  # none of them can see yet that there are others
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its job
    process = subprocess.Popen(
        work.command,
        env={"OMP_NUM_THREADS": threads, **waiting, **os.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )
    return _Job(work, process, said)


def _tell(running: Sequence[_Job], number: signal.Signals) -> None:
    for job in running:
        if job.process.poll() is None:
            job.process.send_signal(number)
