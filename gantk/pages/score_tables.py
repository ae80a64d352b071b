"""The scores of a run, each with its whole protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gantk.evaluation.columns import better_of
from gantk.evaluation.protocol import NAMES, NOTED, Protocol, flat, line
from gantk.evaluation.scores import Score
from gantk.report.evaluation import mean_and_spread, short_metric

__all__ = ["Figure", "ProtocolText", "Scores", "scores_of"]

STEPS = 8
"""Number of checkpoints that have a column; the newest."""


@dataclass(frozen=True)
class Figure:
    """One figure of a metric, measured in one way."""

    metric: str
    name: str
    better: str
    """`lower`, `higher` or empty."""
    cells: Sequence[str]
    """Its value at each step; empty if it was not measured."""
    protocol: int
    """Number of its protocol, from 1."""


@dataclass(frozen=True)
class ProtocolText:
    """How figures were measured."""

    line: str
    fields: Sequence[tuple[str, str]]
    """Every field of one of these scores, in full."""


@dataclass(frozen=True)
class Scores:
    """A table of scores."""

    steps: Sequence[str]
    figures: Sequence[Figure]
    protocols: Sequence[ProtocolText]
    several_seeds: bool
    hidden: int
    """Number of checkpoints that have no column."""


def scores_of(scores: Sequence[Score]) -> Scores:
    """The scores as a table: a row for each figure and protocol, a column for each checkpoint."""
    every = sorted({_step(score) for score in scores})
    steps = every[-STEPS:]
    groups: dict[str, list[Score]] = {}
    for score in scores:
        if _step(score) in steps:
            groups.setdefault(_how(score), []).append(score)
    ways: dict[str, list[Score]] = {}
    figures: list[Figure] = []
    for group in groups.values():
        way = json.dumps(_compared(group[0].protocol), sort_keys=True)
        ways.setdefault(way, []).extend(group)
        better = better_of(group[0].metric)
        number = list(ways).index(way) + 1
        for name in dict.fromkeys(name for score in group for name in score.figures):
            cells = [_cell(group, name, step) for step in steps]
            figures.append(Figure(short_metric(group[0]), name, better.get(name, ""), cells, number))
    texts = [ProtocolText(line(*(each.protocol for each in way)), _fields(way[-1])) for way in ways.values()]
    seeds = {score.protocol.generated.seed for score in scores}
    return Scores(
        [f"{step:,}" if step >= 0 else "–" for step in steps], figures, texts, len(seeds) > 1, len(every) - len(steps)
    )


def _step(score: Score) -> int:
    step = score.protocol.generated.step
    return -1 if step is None else step


def _compared(protocol: Protocol) -> dict[str, Any]:
    """The fields in which the numbers of one row are equal."""
    noted = {f"generated.{name}" for name in NOTED - {"averaged", "refined"}}
    return {p: v for p, v in flat(protocol).items() if p not in NAMES | noted and not p.startswith("versions.")}


def _how(score: Score) -> str:
    return json.dumps([score.metric, dict(score.options), _compared(score.protocol)], sort_keys=True, default=str)


def _cell(scores: Sequence[Score], name: str, step: int) -> str:
    values = [score.figures[name] for score in scores if name in score.figures and _step(score) == step]
    return mean_and_spread(values) if values else ""


def _fields(score: Score) -> list[tuple[str, str]]:
    fields = {**flat(score.protocol), "measured": score.when, "seconds": f"{score.seconds:.3g}"}
    return [(path, "none" if value in (None, "") else str(value)) for path, value in fields.items()]
