"""Which of several ways to compute is the fastest: a few steps of each, in turns, so that all meet the same machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from gantk.run.chosen import GAIN, Computing

__all__ = ["faster", "times"]

WARM_UP, ROUNDS = 2, 5
"""Steps of each way that are not counted, as the first ones allocate and choose kernels, and those that are."""
FEWEST = 3
"""Steps of each way that are counted if steps are long; then only the first one is not."""
BUDGET = 15.0
"""Seconds of steps after which no further round begins that is not needed."""
SLOW = 1.5
"""A way that takes this many times as long as the first one when it is warm is not measured further."""
WINS = 0.8
"""The share of its steps in which a way must have been faster than the first one in the same round: beside other
programs, a median alone tells little."""

Prepare = Callable[[Computing], Callable[[], None]]
"""Makes ready a step that is computed in a way; calling what it returns plays it."""


def times(
    ways: Sequence[Computing],
    prepare: Prepare,
    clock: Callable[[], float],
    agreed: Callable[[float], float] = lambda seconds: seconds,
    before: Callable[[], object] = lambda: None,
    rounds: int = WARM_UP + ROUNDS,
) -> dict[Computing, list[float]]:
    """The seconds of some steps in each way, except those that fail or are far too slow.

    Args:
        ways: the ways; the first one is what the others are compared with.
        prepare: makes a step ready.
        clock: the time in seconds.
        agreed: the seconds that count, if several devices measure.
        before: called before each step; what it raises ends the measurement.
        rounds: steps of each way; the first `WARM_UP` of them, or all but the last, are not counted.

    Returns:
        way → seconds of every counted round.

    Raises:
        Exception: what a step of the first way raises, or `before`.
    """
    found: dict[Computing, list[float]] = {way: [] for way in ways}
    spent, number = 0.0, 0
    while number < rounds and (spent <= BUDGET or number < 1 + FEWEST):
        number += 1
        for way in [*found]:
            before()
            try:
                play = prepare(way)
                begun = clock()
                play()
                found[way].append(agreed(clock() - begun))
            except Exception:  # a network may not work in half precision, or in another layout
                if way == ways[0]:
                    raise
                del found[way]
        spent += sum(seconds[-1] for seconds in found.values())
        if number == WARM_UP:
            most = SLOW * found[ways[0]][-1]
            found = {way: seconds for way, seconds in found.items() if way == ways[0] or seconds[-1] <= most}
    first = max(0, min(WARM_UP, number - (FEWEST if rounds > FEWEST else 1)))
    return {way: seconds[first:] for way, seconds in found.items()}


def faster(seconds: Mapping[Computing, Sequence[float]]) -> list[Computing]:
    """The ways that are clearly faster than the first one, the fastest one first."""
    first, *others = seconds
    return sorted(
        (way for way in others if _is_faster(seconds[way], seconds[first])), key=lambda way: median(seconds[way])
    )


def _is_faster(way: Sequence[float], first: Sequence[float]) -> bool:
    wins = sum(one < other for one, other in zip(way, first, strict=True))
    return GAIN * median(way) <= median(first) and wins >= WINS * len(first)
