"""Schedule work that is done every few steps, and after some minutes at the latest."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Due"]


class Due:
    """Tells after every step whether the work is due.

    Args:
        steps: interval in steps.
        minutes: maximum interval in minutes; 0 for none.
        first: maximum minutes until the first time, because a user may be waiting for it.
        clock: returns the time in seconds.
    """

    def __init__(
        self, steps: int, minutes: float, first: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._steps, self._seconds, self._clock = steps, 60 * minutes, clock
        self._next = clock() + 60 * min(first, minutes)

    def __call__(self, total: int) -> bool:
        """Whether it is due after this step of the run."""
        late = self._seconds > 0 and self._clock() >= self._next
        if not (late or total % self._steps == 0):
            return False
        self._next = self._clock() + self._seconds
        return True
