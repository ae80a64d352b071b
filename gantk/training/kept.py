"""Keep the memory that steps free, instead of giving it back to the system and asking for it again in each step."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["keeping_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's settings, `M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of malloc.h."""
ALL = 2**31 - 1
LARGEST = (2**30, 2**25)
"""Bytes of a block that is taken from the system by itself, and given back; some versions allow at most 32 MiB."""
USUAL_TRIM, USUAL_MMAP = 2**26, 2**25
"""What glibc itself comes to in a program that frees large blocks."""


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Within this context, memory that is freed stays with the process for the next step, if the allocator is glibc's.

    Otherwise each step takes its large tensors from the system anew, which clears every page of them.
    """
    glibc = _glibc()
    if glibc is None:
        yield
        return
    glibc.mallopt(TRIM_THRESHOLD, ALL)
    any(glibc.mallopt(MMAP_THRESHOLD, largest) for largest in LARGEST)
    try:
        yield
    finally:
        glibc.mallopt(TRIM_THRESHOLD, USUAL_TRIM)
        glibc.mallopt(MMAP_THRESHOLD, USUAL_MMAP)
        glibc.malloc_trim(0)


def _glibc() -> Any:
    """The C library of this process, or `None` if it is another one."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "gnu_get_libc_version") else None
    except (OSError, TypeError):  # Windows
        return None
