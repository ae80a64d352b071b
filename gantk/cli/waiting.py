"""How OpenMP's threads wait for each other in a command."""

from __future__ import annotations

import os

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
    """Whether, in the last minute, more than half a core was in use, and more than an eighth of all."""
    if not hasattr(os, "getloadavg"):
        return True
    try:
        return os.getloadavg()[0] > max(0.5, (os.cpu_count() or 1) / 8)
    except OSError:
        return True
