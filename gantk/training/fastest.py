"""Which of several ways to compute is the fastest: a few steps of each, in turns, so that all meet the same machine."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from gantk.run.chosen import GAIN, Computing

__all__ = ["faster", "medians"]

WARM_UP, ROUNDS = 2, 5
"""Steps of each way that are not counted, as the first ones allocate and choose kernels, and those that are."""
BUDGET = 15.0
"""Seconds after which no further round begins, once each way has been played twice."""
SLOW = 1.5
"""A way that takes this many times as long as the first one when it is warm is not measured further."""

Prepare = Callable[[Computing], Callable[[], None]]
"""Makes ready a step that is computed in a way; calling what it returns plays it."""


def medians(
    ways: Sequence[Computing],
    prepare: Prepare,
    clock: Callable[[], float],
    agreed: Callable[[float], float] = lambda seconds: seconds,
    rounds: int = WARM_UP + ROUNDS,
) -> dict[Computing, float]:
    """The median seconds of a step in each way, except those that fail or are far too slow.

    Args:
        ways: the ways; the first one is what the others are compared with.
        prepare: makes a step ready.
        clock: the time in seconds.
        agreed: the seconds that count, if several devices measure.
        rounds: steps of each way; the first `WARM_UP` of them, or all but the last, are not counted.

    Raises:
        Exception: what a step of the first way raises.
    """
    found: dict[Computing, list[float]] = {way: [] for way in ways}
    for number in range(1, rounds + 1):
        for way in [*found]:
            try:
                play = prepare(way)
                begun = clock()
                play()
                found[way].append(agreed(clock() - begun))
            except Exception:  # a network may not work in half precision, or in another layout
                if way == ways[0]:
                    raise
                del found[way]
        if number == WARM_UP:
            most = SLOW * found[ways[0]][-1]
            found = {way: seconds for way, seconds in found.items() if way == ways[0] or seconds[-1] <= most}
        if number >= WARM_UP and sum(map(sum, found.values())) > BUDGET:
            break
    return {way: statistics.median(seconds[min(WARM_UP, len(seconds) - 1) :]) for way, seconds in found.items()}


def faster(seconds: Mapping[Computing, float]) -> list[Computing]:
    """The ways that are clearly faster than the first one, the fastest one first."""
    first, *others = seconds
    return sorted((way for way in others if GAIN * seconds[way] <= seconds[first]), key=lambda way: seconds[way])
