"""The thread in which digests are computed: one for the whole process, kept from its first use on.

To start a thread where there is no memory left may wait forever: the new one ends before it says that it has begun. So
a training starts this one before its first step, and saves do not start any.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

__all__ = ["hashing"]

_pool: ThreadPoolExecutor | None = None


def hashing() -> ThreadPoolExecutor:
    """The thread; what is submitted to it is done in order."""
    global _pool
    if _pool is None:
        pool = ThreadPoolExecutor(1, thread_name_prefix="gantk-hashing")
        pool.submit(int).result()
        _pool = pool
    return _pool


def _forget() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # a forked process has no threads but its own
