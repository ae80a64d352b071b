"""How OpenMP's threads wait for each other in a command."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["choose_waiting"]

POLICY, COUNT = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"
"""Environment variables that set it; the library reads them when it is loaded."""


def choose_waiting() -> None:
    """Let waiting threads sleep if other programs are running, unless the environment sets a policy.

    By default, waiting threads spin, which is fastest on an idle machine: a training step of a small DCGAN takes a
    quarter longer if they sleep. Beside other programs, spinning threads take time from the thread that they wait for,
    and the step takes twice as long as with sleeping ones (bench/openmp_waiting.py).
    """
    if POLICY not in os.environ and COUNT not in os.environ and _is_busy():
        os.environ[POLICY] = "PASSIVE"


def _is_busy() -> bool:
    """Whether other programs keep more than an eighth of the cores busy, in each of three samples or over a minute."""
    most = (os.cpu_count() or 1) / 8
    try:
        return min(_others() for _ in range(3)) > most
    except (OSError, ValueError, IndexError):  # not Linux
        return not hasattr(os, "getloadavg") or os.getloadavg()[0] > most


def _others() -> int:
    """Number of other runnable threads on this machine, after 3 ms."""
    time.sleep(0.003)
    running, _, _ = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")
    return int(running) - 1
