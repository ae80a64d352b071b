"""The job that submitit runs on a cluster: a process that starts a training and imports little else."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["TrainingJob"]

PAUSE = 0.5
"""Seconds between two checks of the training."""

PATIENCE = 900.0
"""Seconds to wait after training was stopped, until the job is requeued or ended."""

STOPPED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class TrainingJob:
    """Trains a run or resumes it; saves and is requeued at the time limit or when preempted.

    Args:
        command: the command to execute.
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
            time.sleep(PATIENCE)  # clusters signal every process of a job; wait for the handler in this one
        if code:
            raise RuntimeError(f"gantk train ended with exit status {code}")

    def checkpoint(self) -> Any:
        """Called by submitit's signal handler: save, and return the job to requeue."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None and not self._ended():
            os.kill(self._process.pid, signal.SIGTERM)
            while not self._ended():
                time.sleep(PAUSE)
        return DelayedSubmission(TrainingJob(self.command, self.folder))

    def _ended(self) -> bool:
        """Uses a system call without locks, since the signal handler may interrupt it."""
        process = self._process
        return process is None or (os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
