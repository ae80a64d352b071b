"""The thread in which digests are computed: one for the whole process, kept from its first use on.

Starting a thread when memory has run out may block forever: Python waits for the new thread to report that it runs,
and it may fail before that. So training starts this one before its first step, and saves start none.
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
