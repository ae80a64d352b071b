"""A run's log as the points of its curves: few enough to be drawn and sent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SPEED", "Track", "track_of"]

SPEED = "images_per_second"
"""The name of the rate among the values."""

NAMES = 80
"""Number of values that are drawn at most, and characters of a name."""


@dataclass
class Track:
    """The course of a training: rows of steps, each the mean over some lines of the log."""

    steps: list[float] = field(default_factory=list)
    images: list[float] = field(default_factory=list)
    """Real images read since the beginning; empty if the log does not say."""
    hours: list[float] = field(default_factory=list)
    """Hours of training since the beginning; empty if the log does not say."""
    values: dict[str, list[float | None]] = field(default_factory=dict)
    """Name → its value in each row, `None` where it was not logged or is not finite."""
    stages: list[tuple[str, float]] = field(default_factory=list)
    """Each stage with the first step that was logged of it."""
    lines: int = 1
    """Lines of the log per row, at most."""
    not_finite: dict[str, int] = field(default_factory=dict)
    """Name → the first step at which it was NaN or infinite."""
    left_out: int = 0
    """Number of values that are not drawn, since there are too many."""


def track_of(entries: Sequence[Mapping[str, Any]], most: int) -> Track:
    """The curves of a log.

    Args:
        entries: the lines of the log.
        most: number of rows at most.
    """
    lines = _merged(entries)
    names = list(dict.fromkeys(name for line in lines for name in line["values"]))
    track = Track(left_out=max(0, len(names) - NAMES))
    track.values = {name: [] for name in names[:NAMES]}
    track.lines = max(1, math.ceil(len(lines) / most))
    before = {"stage_images": 0.0, "stage_seconds": 0.0}
    told = dict.fromkeys(before, True)
    images: list[float] = []
    seconds: list[float] = []
    for stage, of_stage in _stages(lines):
        track.stages.append((stage, float(of_stage[0]["step"])))
        for start in range(0, len(of_stage), track.lines):
            rows = of_stage[start : start + track.lines]
            track.steps.append(float(rows[-1]["step"]))
            for key, column in (("stage_images", images), ("stage_seconds", seconds)):
                told[key] &= _is_number(rows[-1].get(key))
                column.append(before[key] + (float(rows[-1][key]) if told[key] else 0.0))
            for name, column_of_values in track.values.items():
                column_of_values.append(_mean(track, name, rows))
        for key in before:
            before[key] += float(of_stage[-1][key]) if told[key] else 0.0
    track.images = images if told["stage_images"] else []
    track.hours = [each / 3600 for each in seconds] if told["stage_seconds"] else []
    return track


def _merged(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line per step, in order; a step that was trained again counts as it was trained last."""
    found: dict[int, dict[str, Any]] = {}
    for entry in entries:
        values = dict(entry["values"])
        if _is_number(entry.get(SPEED)):
            values.setdefault(SPEED, entry[SPEED])
        line = {**entry, "values": values, "stage": str(entry.get("stage", ""))}
        if found.get(entry["step"], line)["stage"] == line["stage"]:
            line["values"] = {**found.get(entry["step"], line)["values"], **values}
        found[entry["step"]] = line
    return [found[step] for step in sorted(found)]


def _stages(lines: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Consecutive lines of one stage."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for line in lines:
        if not found or found[-1][0] != line["stage"]:
            found.append((line["stage"], []))
        found[-1][1].append(line)
    return found


def _mean(track: Track, name: str, rows: Sequence[Mapping[str, Any]]) -> float | None:
    values = [(float(row["values"][name]), row["step"]) for row in rows if name in row["values"]]
    finite = [value for value, _ in values if math.isfinite(value)]
    if len(finite) < len(values):
        first = next(step for value, step in values if not math.isfinite(value))
        track.not_finite.setdefault(name, first)
    return float(f"{math.fsum(finite) / len(finite):.6g}") if finite else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e18
