"""An evaluation as a table: its figures, under them the protocol, and under that what was left out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from gantk.evaluation.protocol import line
from gantk.evaluation.scores import Score
from gantk.report.table import table

__all__ = ["evaluation_text", "mean_and_spread"]


def evaluation_text(scores: Sequence[Score], left_out: Mapping[str, str]) -> str:
    """What `gantk evaluate` prints: a row for each figure, a column for each checkpoint."""
    steps = list(dict.fromkeys(score.protocol.generated.step for score in scores))
    seeds = list(dict.fromkeys(score.protocol.generated.seed for score in scores))
    found: dict[tuple[str, str], dict[int | None, list[float]]] = {}
    for score in scores:
        for name, value in score.figures.items():
            columns = found.setdefault((score.name, name), {})
            columns.setdefault(score.protocol.generated.step, []).append(value)
    parts = []
    if found:
        said = "VALUE" if len(seeds) == 1 else "MEAN ± SPREAD"
        titles = [said] if len(steps) == 1 else [f"STEP {step}" for step in steps]
        rows = [
            (*name, *(mean_and_spread(columns[step]) if step in columns else "" for step in steps))
            for name, columns in found.items()
        ]
        parts.append(table(_without_repetition(rows), ("METRIC", "FIGURE", *titles)))
        parts.append("\n".join(_protocols(scores, seeds)))
    if left_out:
        parts.append("left out:\n" + table([(f"  {name}", reason) for name, reason in left_out.items()]))
    return "\n\n".join(parts) or "nothing was measured"


def mean_and_spread(values: Sequence[float]) -> str:
    """`12.3` of one value; `12.3 ± 0.4` of several, with their standard deviation."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:.4g}"
    return f"{mean:.4g} ± {statistics.stdev(values):.2g}"


def _without_repetition(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows in which a metric is named once."""
    before = ["", *(row[0] for row in rows)]
    return [("" if row[0] == last else row[0], *row[1:]) for row, last in zip(rows, before, strict=False)]


def _protocols(scores: Sequence[Score], seeds: Sequence[int | None]) -> list[str]:
    """A line for each set of features: metrics that read images alone share the first one's."""
    first = {score.protocol.features: score.protocol for score in reversed(scores)}
    chosen = [protocol for features, protocol in first.items() if features is not None] or list(first.values())
    several = "" if len(seeds) == 1 else f"; spread: standard deviation over the sampling seeds {_listed(seeds)}"
    return [f"{line(protocol)}{several}" for protocol in reversed(chosen)]


def _listed(seeds: Sequence[int | None]) -> str:
    return ", ".join(map(str, seeds))
