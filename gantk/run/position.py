"""Where training stands: its position, and the running means of the next line of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Place", "is_interval", "is_possible"]


@dataclass(frozen=True)
class Place:
    """The position of training; together with the run's seed, it determines everything that a step needs."""

    stage: int = 0
    """Index of the stage."""
    step: int = 0
    """Finished steps of that stage; all of its steps until the next stage begins."""
    total: int = 0
    """Finished steps of all stages."""


def is_possible(place: Place) -> bool:
    """Whether training can be in this position."""
    if not all(type(count) is int and count >= 0 for count in (place.stage, place.step, place.total)):
        return False
    if place.step == 0:  # at the beginning of a stage
        return (place.stage == 0) == (place.total == 0)
    return place.total == place.step if place.stage == 0 else place.total > place.step


def is_interval(found: Mapping[str, Any]) -> bool:
    """Whether plain data is a state of running means: sums of named numbers, their counts, and the seconds so far."""
    sums, numbers, counts = (found.get(name, {}) for name in ("sums", "numbers", "counts"))
    if not all(isinstance(each, Mapping) for each in (sums, numbers, counts)):
        return False
    values = (*sums.values(), *numbers.values(), found.get("seconds", 0.0))
    if not all(isinstance(value, (int, float)) for value in values):
        return False
    return all(type(count) is int and count > 0 for count in counts.values()) and {*sums, *numbers} == {*counts}
