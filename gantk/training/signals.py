"""Stop on signals: the first Ctrl-C or SIGTERM stops after the current step and saves; the second stops at once.

A closed terminal sends SIGHUP. Clusters such as Slurm send SIGUSR1 or SIGUSR2 before the time limit of a job.
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

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
CAUGHT = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))


class StopRequest:
    """Whether a stop was requested, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.doing = "stopping"
        """What is done before training stops, for the message after a signal; empty if it stops soon, without one."""

    def __bool__(self) -> bool:
        return self.signal is not None


def _answer(text: str) -> None:
    try:
        # Start a new line after a progress bar.
        sys.stderr.write(f"\n{text}" if sys.stderr.isatty() else text)
        sys.stderr.flush()
    except RuntimeError:  # the signal interrupted the printing of a line
        os.write(2, text.encode())
    except (OSError, ValueError, AttributeError):  # the terminal is gone
        return


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first signal into a request; a second one has its usual effect."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Python delivers signals to the main thread only
        return
    before: dict[int, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        request.signal = signal.Signals(number)
        signal.signal(number, before[number])
        if not request.doing:
            return
        again = "press Ctrl-C again" if number == signal.SIGINT else f"send {request.signal.name} again"
        ignored = before[number] is signal.SIG_IGN  # by a shell, for what it starts in the background
        _answer(f"gantk: {request.doing}\n" if ignored else f"gantk: {request.doing}; {again} to stop at once\n")

    for caught in CAUGHT:
        if caught.name == "SIGHUP" and signal.getsignal(caught) is signal.SIG_IGN:
            continue  # nohup
        before[caught] = signal.signal(caught, ask)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
