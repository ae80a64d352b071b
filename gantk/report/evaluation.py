"""An evaluation as a table: its figures, under them the protocol, and under that what was left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gantk.errors import GantkError
from gantk.evaluation.protocol import Features, Protocol, line
from gantk.evaluation.real import short_name
from gantk.evaluation.scores import Score
from gantk.report.table import table

__all__ = ["evaluation_text", "mean_and_spread", "short_metric"]


def evaluation_text(scores: Sequence[Score], left_out: Mapping[str, str], remarks: Sequence[str] = ()) -> str:
    """What `gantk evaluate` prints: a row for each figure, a column for each checkpoint; then what stands out."""
    steps = list(dict.fromkeys(score.protocol.generated.step for score in scores))
    seeds = list(dict.fromkeys(score.protocol.generated.seed for score in scores))
    found: dict[tuple[str, str], dict[int | None, list[float]]] = {}
    for score in scores:
        for name, value in score.figures.items():
            columns = found.setdefault((short_metric(score), name), {})
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
        spread = [] if len(seeds) == 1 else ["±: standard deviation over the sampling seeds"]
        parts.append("\n".join([*_protocols(scores), *spread]))
    parts += ["\n".join(remarks)] if remarks else []
    if left_out:
        parts.append("left out:\n" + table([(f"  {name}", reason) for name, reason in left_out.items()]))
    return "\n\n".join(parts) or "nothing was measured"


def mean_and_spread(values: Sequence[float]) -> str:
    """`12.3` of one value; `12.34 ± 0.41` of several, with two digits of their standard deviation."""
    mean = float(np.mean(values))
    if len(values) == 1:
        return f"{mean:.4g}"
    spread = float(np.std(values, ddof=1))
    if not (math.isfinite(spread) and spread > 0):
        return f"{mean:.4g} ± {spread:.2g}"
    digits = min(8, max(0, 1 - math.floor(math.log10(spread))))
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


def short_metric(score: Score) -> str:
    """The metric without the options that are at their defaults, where it is installed: `prdc:k=3`, or `prdc`."""
    try:
        return short_name("metric", {"plugin": score.metric, **score.options})
    except GantkError:
        return score.name


def _without_repetition(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows in which a metric is named once."""
    before = ["", *(row[0] for row in rows)]
    return [("" if row[0] == last else row[0], *row[1:]) for row, last in zip(rows, before, strict=False)]


def _protocols(scores: Sequence[Score]) -> list[str]:
    """A line for each set of features: metrics that read images alone share another one's."""
    groups: dict[Features | None, list[Protocol]] = {}
    for score in scores:
        groups.setdefault(score.protocol.features, []).append(score.protocol)
    if len(groups) > 1:
        groups.pop(None, None)
    return [line(*sorted(group, key=lambda each: each.held_out is None)) for group in groups.values()]
