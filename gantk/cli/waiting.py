"""How OpenMP's threads wait for each other in a command."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["choose_waiting"]

POLICY, COUNT = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"
"""What the environment says of it; libraries read it when they are loaded."""


def choose_waiting() -> None:
    """Where other programs are at work, threads that wait sleep, unless the environment says what they do.

    By default, they look again and again whether there is work, which is fastest: a step of a small DCGAN takes a
    quarter longer if they sleep. But beside other programs, they take the time of the thread that they wait for, and
    such a step takes twice as long as if they sleep (bench/openmp_waiting.py).
    """
    if POLICY not in os.environ and COUNT not in os.environ and _is_busy():
        os.environ[POLICY] = "PASSIVE"


def _is_busy() -> bool:
    """Whether others keep more than an eighth of the cores busy: in each of three looks, or in the last minute."""
    most = (os.cpu_count() or 1) / 8
    try:
        return min(_others() for _ in range(3)) > most
    except (OSError, ValueError, IndexError):  # not Linux
        return not hasattr(os, "getloadavg") or os.getloadavg()[0] > most


def _others() -> int:
    """How many other threads of this machine run, or could, 3 ms from now."""
    time.sleep(0.003)
    running, _, _ = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")
    return int(running) - 1
