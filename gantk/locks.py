"""Locks between processes, which the system releases when a process ends: files that are opened and never changed."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import TracebackType

from gantk.files import check_file

__all__ = ["Lock", "Taken", "lock_descriptor"]

PAUSE = 0.05
"""Seconds between two attempts."""

HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
"""Errors of the system where another process holds a lock."""


class Taken(Exception):
    """Another process holds the lock."""


class Lock:
    """A lock by a file, which is created if it does not exist, and stays.

    A link is not followed, and a file that is there is not changed: in somebody else's folder it may be any file.

    Args:
        path: the file.
        patience: seconds to wait for another process.
    """

    def __init__(self, path: Path, patience: float = float("inf")) -> None:
        self.path = path
        self._patience = patience
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            Taken: another process holds it.
            OSError: the file cannot be opened, is no file, or its file system has no locks.
        """
        waited = 0.0  # and not by the clock, which may stand still
        while True:
            descriptor = _opened(self.path)
            try:
                if lock_descriptor(descriptor) and _same(descriptor, self.path):
                    self._descriptor = descriptor
                    return
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            if waited >= self._patience:
                raise Taken(str(self.path))
            time.sleep(PAUSE)
            waited += PAUSE

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _opened(path: Path) -> int:
    if os.path.lexists(path):
        check_file(path)
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def _same(descriptor: int, path: Path) -> bool:
    """Whether a path still is the open file, and not a new one after this one was deleted."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def lock_descriptor(descriptor: int) -> bool:
    """Lock an open file, until it is closed; whether that succeeded, as no other process holds its lock.

    Raises:
        OSError: its file system has no locks.
    """
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in HELD:
            return False
        raise
    return True


if os.name == "nt":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
