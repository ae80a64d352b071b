"""Stopping: a first Ctrl-C (or SIGTERM) is answered at once, lets the step end and is saved; a second stops at once.

SIGUSR1 and SIGUSR2 are what clusters such as Slurm send before a job's time is over.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["StopRequest", "stop_on_signals"]

CAUGHT = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))


class StopRequest:
    """Whether somebody asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.doing = "stopping"
        """What is done before training stops, for the answer to a signal."""

    def __bool__(self) -> bool:
        return self.signal is not None


def _answer(text: str) -> None:
    try:
        # Behind a progress bar, a line of its own.
        sys.stderr.write(f"\n{text}" if sys.stderr.isatty() else text)
        sys.stderr.flush()
    except RuntimeError:  # the signal came in the middle of a line
        os.write(2, text.encode())


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first of such signals into a request; the second does what it does anywhere else."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Python delivers signals to the main thread alone
        return
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        request.signal = signal.Signals(number)
        signal.signal(number, before[number])
        again = "press Ctrl-C again" if number == signal.SIGINT else f"send {request.signal.name} again"
        _answer(f"gantk: {request.doing}; {again} to stop at once\n")

    for caught in CAUGHT:
        before[caught] = signal.signal(caught, ask)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
