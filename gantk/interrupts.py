"""Ctrl-C in commands: from the first moment on, it stops the command with one line and the exit status 130."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType
from typing import Any

__all__ = ["STATUS", "asked", "handle", "is_command", "say_nothing_more"]

STATUS = 128 + signal.SIGINT
"""The exit status of a command that Ctrl-C stopped."""

IMPORTING = "<frozen importlib"

_handled = _asked = _silent = False


def handle() -> None:
    """From now on, Ctrl-C stops this command: where it imports something, at once, since modules are not made for
    exceptions anywhere; elsewhere by `KeyboardInterrupt`, so that whatever it does is undone; the second time, at once.

    Nothing changes where Ctrl-C is ignored, as for a shell's background jobs.
    """
    global _handled
    _handled = True
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
        sys.unraisablehook = _swallowed
        atexit.register(_ending)  # the first one runs last


def is_command() -> bool:
    """Whether this process is a command of gantk, and not a program that uses it."""
    return _handled


def asked() -> bool:
    """Whether Ctrl-C was pressed, even if a library made another exception of it."""
    return _asked


def say_nothing_more() -> None:
    """From now on, Ctrl-C stops this process without a word: it has said all, and only has to end."""
    global _silent
    _silent = True


def _ending() -> None:
    """While Python frees everything, which may take a second, it has no handlers: the status stays what it is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _asked
    if _asked or _silent or _is_importing(frame):
        _stop()
    _asked = True
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORTING):
            return True
        frame = frame.f_back
    return False


def _stop() -> None:
    if not _silent:
        os.write(2, b"gantk: stopped\n")
    os._exit(STATUS)


def _swallowed(unraisable: Any) -> None:
    """Python prints exceptions that it cannot raise, as in the middle of freeing an object, and goes on."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _stop()
    sys.__unraisablehook__(unraisable)
