"""A training as a job of a cluster: what submitit runs there, in a process that imports little else."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["TrainingJob"]

PAUSE = 0.5
"""Seconds between two looks at the training."""

PATIENCE = 900.0
"""Seconds in which whoever stopped the training says what becomes of the job: requeued, or ended."""

STOPPED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class TrainingJob:
    """Trains a run from where it stands; saves and is requeued where its time is over, or where others go first.

    Args:
        command: what is executed.
        folder: the working directory.
    """

    def __init__(self, command: Sequence[str], folder: str) -> None:
        self.command, self.folder = list(command), folder
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        self._process = subprocess.Popen(self.command, cwd=self.folder)
        while not self._ended():
            time.sleep(PAUSE)
        code = self._process.wait()
        if {-code, code - 128} & {int(number) for number in STOPPED}:
            time.sleep(PATIENCE)  # clusters signal every process of a job, and this one's handler goes next
        if code:
            raise RuntimeError(f"gantk train ended with exit status {code}")

    def checkpoint(self) -> Any:
        """Called by submitit's handler of signals: save, and say what is to be run next time."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None and not self._ended():
            os.kill(self._process.pid, signal.SIGTERM)
            while not self._ended():
                time.sleep(PAUSE)
        return DelayedSubmission(TrainingJob(self.command, self.folder))

    def _ended(self) -> bool:
        """Asks the system alone: the handler may interrupt what asks, and must not wait for its locks."""
        process = self._process
        return process is None or (os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
