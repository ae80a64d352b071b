"""The lock of a run: one process trains it at a time."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gantk.errors import GantkWarning, RunError
from gantk.locks import Lock, Taken
from gantk.run.folder import Run

__all__ = ["busy", "locked"]

PATIENCE = 0.5
"""Seconds after which a lock counts as held; a process that only checks it releases it at once."""

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
"""Errors of file systems that have no locks."""


def busy(run: Run) -> bool:
    """Whether a process is training a run; writes nothing if the run was never trained."""
    if not _lock_file(run).exists():
        return False
    try:
        with Lock(_lock_file(run), patience=0):
            return False
    except Taken:
        return True
    except OSError:  # another user's folder, in which they may be training
        return False


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Lock a run against other trainings; the system releases the lock if the process is killed.

    Raises:
        RunError: another process is training it, or a folder in it is a link.
    """
    run.check_own()
    lock = Lock(_lock_file(run), PATIENCE)
    try:
        lock.acquire()
    except Taken:
        raise RunError(f"{run} is being trained by another process: wait for it, or stop it.") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        text = f"{run} is on a file system without locks: make sure that nothing else trains it"
        warnings.warn(text, GantkWarning, stacklevel=3)
    try:
        yield
    finally:
        lock.release()


def _lock_file(run: Run) -> Path:
    return run.path / ".lock"
