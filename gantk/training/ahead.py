"""Read the images of the next step while a step is computed, if training would wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")

FEW = 4
"""Steps after which it is known whether training waits."""

SHARE = 0.02
"""The share of its time that training may wait for images."""


class Ahead(Generic[T]):
    """Calls a function of the step, and for the next step in a thread, once the calls take a noticeable share of time.

    The results are those of calls without a thread, as long as they depend on the step alone.

    Args:
        read: the function; one call at a time.
        allowed: whether it may be called in a thread.
        clock: returns seconds.
    """

    def __init__(self, read: Callable[[int], T], allowed: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        self._read, self._allowed, self._clock = read, allowed, clock
        self._thread: ThreadPoolExecutor | None = None
        self._next: tuple[int, Future[T]] | None = None
        self._calls, self._waited, self._since = 0, 0.0, 0.0

    def of_step(self, done: int, last: int) -> T:
        """The result for a step.

        Args:
            done: the step.
            last: the last step; nothing is read beyond it.
        """
        begin = self._clock()
        known, self._next = self._next, None
        found = known[1].result() if known is not None and known[0] == done else self._read(done)
        now = self._clock()
        if self._calls == 0:
            self._since = now  # the first call opens files
        else:
            self._waited += now - begin
        self._calls += 1
        if self._allowed and self._thread is None and self._calls > FEW:
            if self._waited > SHARE * (now - self._since):
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="gantk-reading")
            else:
                self._calls, self._waited = 0, 0.0  # a disk can become slow later
        if self._thread is not None and done < last:
            try:
                self._next = done + 1, self._thread.submit(self._read, done + 1)
            except RuntimeError:  # there is no memory for a thread
                self._thread, self._allowed = None, False
        return found

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._thread = self._next = None
