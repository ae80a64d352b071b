"""When something is due that is done every so many steps, and after so many minutes at the latest."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Due"]


class Due:
    """Asked after every step whether it is time.

    Args:
        steps: every so many steps.
        minutes: after this time in any case; 0 for never.
        first: minutes for the first time, where that is sooner: somebody may be waiting for it.
        clock: seconds.
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
