"""The columns of a comparison: figures with the same protocol, and the best row, if it is significant."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gantk.building.construct import part_class
from gantk.errors import GantkError
from gantk.evaluation.entries import Entry, Row
from gantk.evaluation.protocol import NAMES, WORDS, Protocol, differences, flat, is_noted
from gantk.evaluation.scores import Score

__all__ = ["Cell", "Column", "better_of", "columns_of", "key_of"]

CERTAIN = 2.0
"""Number of combined standard errors by which means must differ before a row counts as better."""

BUILT = {"generated.averaged": "averaged weights", "generated.refined": "refiner"}
"""Fields that belong to a model, and may differ only if the models do."""

MOST = 3
"""Maximum number of fields that a message names."""


@dataclass(frozen=True)
class Cell:
    """One figure of a row: one value per training, the mean over its sampling seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over the training seeds; `None` for a single one."""
        if len(self.values) < 2 or not all(map(math.isfinite, self.values)):
            return None
        return statistics.stdev(self.values)

    @property
    def error(self) -> float | None:
        """Standard error of the mean."""
        return None if self.spread is None else self.spread / math.sqrt(len(self.values))


@dataclass(frozen=True)
class Column:
    """One figure of every row, with the same protocol."""

    metric: str
    """The metric with its options."""
    figure: str
    """The figure's name."""
    better: str
    """`lower`, `higher`, or empty if neither is better."""
    cells: tuple[Cell | None, ...]
    """One per row; `None` if it was not measured."""
    protocols: tuple[Protocol, ...]
    """The protocols of its numbers."""
    ahead: int | None
    """The row that is significantly better than all others, if any."""
    why: str
    """The reason why no row is best; empty if one is, or if neither direction is better."""

    @property
    def name(self) -> str:
        """The metric without its options, and the figure, such as `prdc/precision`; only one if both are the same."""
        metric = self.metric.partition(":")[0]
        return self.figure if metric == self.figure else f"{metric}/{self.figure}"


def better_of(plugin: str) -> Mapping[str, str]:
    """Figure → `lower` or `higher` of a metric; empty if the metric is not installed."""
    try:
        found: Mapping[str, str] = part_class("metric", plugin).better
    except (GantkError, AttributeError):
        return {}
    return found


def key_of(score: Score, entry: Entry) -> str:
    """A key that is equal for scores that may be in one column."""
    kept = {path: value for path, value in flat(score.protocol).items() if path not in NAMES and not is_noted(path)}
    return json.dumps([kept, _as_built(score, entry)], sort_keys=True)


def _as_built(score: Score, entry: Entry) -> dict[str, bool]:
    """Whether images were generated in the model's default way: with averaged weights and refiner, if it has them."""
    made, spec = score.protocol.generated, entry.spec
    if spec is None or made.averaged is None:
        return dict.fromkeys(BUILT, True)
    train = spec.get("train", {})
    averages = bool(train.get("ema") or train.get("ema_half_life"))
    return {
        "generated.averaged": made.averaged == averages,
        "generated.refined": made.refined == ("refiner" in spec),
    }


def columns_of(rows: Sequence[Row], scores: Mapping[Entry, Sequence[Score]]) -> tuple[list[Column], dict[str, str]]:
    """The columns of rows.

    Args:
        rows: runs that differ only in the seed.
        scores: the scores of each entry at its chosen checkpoint.

    Returns:
        the columns, and, by metric, the reason why numbers cannot be in one column.
    """
    columns: list[Column] = []
    refused: dict[str, str] = {}
    names = dict.fromkeys((s.metric, s.name) for row in rows for each in row.entries for s in scores[each])
    for metric, name in names:
        own = {
            entry: _by_key([s for s in scores[entry] if (s.metric, s.name) == (metric, name)], entry)
            for row in rows
            for entry in row.entries
        }
        keys, reason = _shared(rows, own)
        if reason:
            refused[name] = reason
        for key in keys:
            columns += _figures(
                rows, {each: found.get(key, []) for each, found in own.items()}, name, better_of(metric)
            )
    return columns, refused


def _by_key(scores: Sequence[Score], entry: Entry) -> dict[str, list[Score]]:
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(key_of(score, entry), []).append(score)
    return found


def _shared(rows: Sequence[Row], own: Mapping[Entry, Mapping[str, list[Score]]]) -> tuple[list[str], str]:
    """The protocols that all entries with scores share, or the reason why there are none."""
    entries = [entry for row in rows for entry in row.entries if own[entry]]
    first = entries[0]
    shared = list(own[first])
    for entry in entries[1:]:
        found = own[entry]
        left = [key for key in shared if key in found]
        if not left:
            one, other = own[first][shared[0]][0], next(iter(found.values()))[0]
            return [], _difference(first, one, entry, other)
        shared = left
    return shared, ""


def _difference(one: Entry, first: Score, two: Entry, second: Score) -> str:
    """The fields in which two protocols differ, with their values."""
    differing: dict[str, tuple[Any, Any]] = differences(first.protocol, second.protocol)
    before, after = _as_built(first, one), _as_built(second, two)
    differing = {p: v for p, v in differing.items() if not is_noted(p) or (p in BUILT and before[p] != after[p])}
    if (first.protocol.features is None) != (second.protocol.features is None):
        differing = {p: v for p, v in differing.items() if not p.startswith("features")} | {"features": (None, None)}
    if not differing:  # the models differ, and one of them was not sampled in its default way
        differing = {p: (before[p], after[p]) for p in BUILT if before[p] != after[p]}
    said = [
        f"{WORDS.get(path) or BUILT.get(path, path)} ({path}): {_said(path, values[0], first)} in {one.name}, "
        f"{_said(path, values[1], second)} in {two.name}"
        for path, values in differing.items()
    ]
    more = f"; and {len(said) - MOST} more" if len(said) > MOST else ""
    return "; ".join(said[:MOST]) + more


def _said(path: str, value: Any, score: Score) -> str:
    if path == "features":
        return "none" if score.protocol.features is None else score.protocol.features.extractor
    if path == "real.content":
        return f"{score.protocol.real.data} {str(value)[:8]}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return {None: "none", "": "none"}.get(value, str(value)[:24]) if not isinstance(value, list) else str(tuple(value))


def _figures(
    rows: Sequence[Row], scores: Mapping[Entry, Sequence[Score]], metric: str, better: Mapping[str, str]
) -> list[Column]:
    """A column for each figure of a metric."""
    used = [score for row in rows for entry in row.entries for score in scores[entry]]
    figures = dict.fromkeys(name for score in used for name in score.figures)
    columns = []
    for figure in figures:
        cells = []
        for row in rows:
            drawn = [[s.figures[figure] for s in scores[e] if figure in s.figures] for e in row.entries]
            values = tuple(statistics.fmean(each) for each in drawn if each)
            cells.append(Cell(values) if values else None)
        direction = better.get(figure, "")
        ahead, why = _ahead(rows, cells, direction) if direction else (None, "")
        protocols = tuple(score.protocol for score in used)
        columns.append(Column(metric, figure, direction, tuple(cells), protocols, ahead, why))
    return columns


def _ahead(rows: Sequence[Row], cells: Sequence[Cell | None], better: str) -> tuple[int | None, str]:
    """The row that is better than all others, or the reason why none is."""
    there = {number: cell for number, cell in enumerate(cells) if cell is not None}
    if len(there) < 2:
        return None, ""
    few = [rows[number].name for number, cell in there.items() if len(cell.values) < 2]
    if few:
        return None, f"{', '.join(few)} {'has' if len(few) == 1 else 'have'} one seed; at least 2 are needed"
    if not all(math.isfinite(cell.mean) for cell in there.values()):
        return None, "not all values are finite"
    sign = 1 if better == "lower" else -1
    first, *others = sorted(there, key=lambda number: sign * there[number].mean)
    for other in others:
        apart = abs(there[first].mean - there[other].mean)
        needed = CERTAIN * math.hypot(there[first].error or 0.0, there[other].error or 0.0)
        if apart <= needed:
            return None, (
                f"{rows[first].name} and {rows[other].name} differ by {apart:.2g}, and twice their combined standard "
                f"error is {needed:.2g}"
            )
    return first, ""
