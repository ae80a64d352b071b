"""The best checkpoint of a run by a figure, out of how many."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from gantk.errors import UsageError, nearest
from gantk.evaluation.columns import better_of, key_of
from gantk.evaluation.entries import Entry
from gantk.evaluation.scores import Score
from gantk.run.folder import Run

__all__ = ["best_step", "figure_names", "is_called", "kept_in_training"]


def figure_names(scores: Sequence[Score]) -> list[str]:
    """The figures by which checkpoints can be compared."""
    return list(dict.fromkeys(figure for score in scores for figure in score.figures))


def is_called(name: str, score: Score, figure: str) -> bool:
    """Whether a text such as `frechet`, `prdc/precision` or `prdc:k=3/precision` names a figure of a score."""
    metric = score.metric.rpartition(":")[2]
    return name in (figure, f"{metric}/{figure}", f"{score.name}/{figure}")


def best_step(entry: Entry, name: str) -> tuple[int | None, int]:
    """The step with the best value of a figure, and the number of steps that have the figure.

    Raises:
        UsageError: the run has no such figure, or several; or neither lower nor higher values of it are better.
    """
    found = [(s, figure) for s in entry.scores for figure in s.figures if is_called(name, s, figure)]
    if not found:
        known = figure_names(entry.scores)
        raise UsageError(f"{entry.name} has no figure '{name}'.{nearest(name, known)}")
    if len(several := dict.fromkeys(f"{score.name}/{figure}" for score, figure in found)) > 1:
        raise UsageError(f"'{name}' is a figure of several metrics; use one of {', '.join(several)}.")
    score, figure = found[0]
    better = better_of(score.metric).get(figure)
    if better is None:
        raise UsageError(
            f"'{name}' cannot choose a checkpoint, since neither lower nor higher values are declared better."
        )
    alike: dict[str, dict[int | None, list[float]]] = {}
    steps_there: list[int | None] = [*entry.steps] or [None]
    for step in steps_there:
        for each in entry.at(step):
            if (each.metric, each.name) == (score.metric, score.name) and figure in each.figures:
                steps = alike.setdefault(key_of(each, entry), {})
                steps.setdefault(step, []).append(each.figures[figure])
    means = {step: statistics.fmean(values) for step, values in max(alike.values(), key=len).items()}
    sign = 1 if better == "lower" else -1
    return min(means, key=lambda step: sign * means[step]), len(means)


def kept_in_training(entry: Entry, step: int | None) -> str:
    """A sentence on a checkpoint that training kept as the best; empty for any other checkpoint."""
    run = Run(entry.name)
    best = run.best() if entry.spec is not None else None
    if best is None or best["step"] != step or step == run.steps()[-1]:
        return ""
    measured = run.log.get(f"measure/{best['figure']}")
    count = 0 if measured is None else sum(math.isfinite(value) for value in measured)
    return f"step {step:,} of {entry.name} was kept in training as the best of {count} by {best['figure']}"
