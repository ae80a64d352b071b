"""The processes of `gantk train RUN --devices N`, as its users start them, some of which are killed. Linux only."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from drills.processes import ONE_LINE, PATIENCE, WAITED

__all__ = ["launched"]

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of Linux: who has lost his parent becomes this process's child."""


def launched(run: Path, devices: int, kill: Sequence[int] = (), after: float = 0.0) -> list[int]:
    """The statuses of the first process and of those it started; some, by their index, are killed after some seconds.

    If none of those that are to be killed has begun, the first one is.
    """
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "gantk", "train", str(run), "--devices", str(devices)]
        first = subprocess.Popen(command, stdout=said, stderr=said)
        if kill:
            time.sleep(after)
            begun = dict(enumerate([first.pid, *_children(first.pid)]))
            for each in [begun[index] for index in kill if index in begun] or [first.pid]:
                os.kill(each, signal.SIGKILL)
        found = [first.wait(), *_ended()]
        said.seek(0)
        text = said.read()
    lines = [line for line in text.splitlines() if line.startswith("gantk: error: ")]
    failed = sum(status == 1 for status in found)
    if "Traceback" in text or len(lines) > max(failed, 1):
        print(text, flush=True)
        return found
    return [ONE_LINE if status == 1 and lines else status for status in found]


def _children(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _ended() -> list[int]:
    """The statuses of all processes that have no other parent than this one."""
    found: list[int] = []
    until = time.monotonic() + PATIENCE
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if process:
            found.append(os.waitstatus_to_exitcode(status))
        elif time.monotonic() > until:
            for each in _children(os.getpid()):
                os.kill(each, signal.SIGKILL)
                os.waitpid(each, 0)
                found.append(WAITED)
        time.sleep(0.01)
