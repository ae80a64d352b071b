"""The results of a search: its best trials as a table, and the importances of parameters as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gantk.report.table import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Found", "Trial", "found_figure"]

MOST = 10
"""Maximum number of trials in the table."""

ROUGH = 20
"""Number of finished trials below which importances are rough."""

NAMED = 3
"""Maximum number of pruned and of failed trials that are listed."""

WIDEST = 28
"""Maximum length of an alternative's name in a picture."""

STATES = ("finished", "pruned", "running", "failed")

ARROWS = {"lower": "↓", "higher": "↑"}


@dataclass(frozen=True)
class Trial:
    """One trial of a search."""

    run: str
    """Its run folder; empty if it has none."""
    values: Mapping[str, str]
    """The chosen values by argument, as text."""
    parameters: Mapping[str, float | str]
    """The chosen values by parameter: numbers, and names of alternatives."""
    state: Literal["finished", "pruned", "running", "failed"]
    score: float = math.nan
    """The last measured figure."""
    reason: str = ""
    """The reason why it failed."""


@dataclass(frozen=True)
class Found:
    """The results of a search so far; as text, a table."""

    figure: str
    """The objective, such as `frechet/frechet`."""
    better: str
    """`lower` or `higher`."""
    trials: Sequence[Trial]
    """All trials in order."""
    importances: Mapping[str, float]
    """Parameter → its importance; empty if it cannot be computed."""
    logarithmic: frozenset[str]
    """Parameters that were searched log-uniformly."""

    @property
    def finished(self) -> list[Trial]:
        """The trials that were trained to the end, the best one first."""
        sign = 1 if self.better == "lower" else -1
        return sorted((t for t in self.trials if t.state == "finished"), key=lambda trial: sign * trial.score)

    @property
    def scored(self) -> list[Trial]:
        """The trials in the picture: finished and pruned trials with a score."""
        return [trial for trial in self.trials if trial.state in ("finished", "pruned") and math.isfinite(trial.score)]

    def __str__(self) -> str:
        finished = self.finished
        names = list(dict.fromkeys(name for trial in finished for name in trial.values))
        rows = [
            (trial.run, *(trial.values.get(name, "") for name in names), f"{trial.score:.4g}")
            for trial in finished[:MOST]
        ]
        lines = [table(rows, ("RUN", *names, f"{self.figure} {ARROWS[self.better]}")), ""] if rows else []
        return "\n".join([*lines, *self._notes()])

    def _notes(self) -> list[str]:
        total, finished = len(self.trials), self.finished
        counts = {state: sum(t.state == state for t in self.trials) for state in STATES}
        said = f"{total} trial{'s' * (total != 1)}: " + ", ".join(f"{n} {s}" for s, n in counts.items() if n)
        notes = [said + (f"; these are the best {MOST}" if len(finished) > MOST else "")]
        if counts["pruned"]:
            runs = [trial.run for trial in self.trials if trial.state == "pruned"]
            more = f" and {len(runs) - NAMED} more" if len(runs) > NAMED else ""
            notes.append(
                "pruned because they were worse than the median (gantk train RUN resumes one): "
                f"{'; '.join(runs[:NAMED])}{more}"
            )
        if counts["running"]:
            notes.append(
                "running: trained by another process; the same command prints the full result when it is finished"
            )
        notes += [f"failed: {trial.run or said_of(trial.values)}: {trial.reason}" for trial in self._failed()[:NAMED]]
        if finished:
            best = finished[0]
            notes.append(f"best of {total} trials, by one random seed: {self.figure} {best.score:.4g}: {best.run}")
        return notes

    def _failed(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.state == "failed"]


def said_of(values: Mapping[str, str]) -> str:
    """`lr=1e-4, ema=0.9`."""
    return ", ".join(f"{name}={value}" for name, value in values.items())


def found_figure(found: Found) -> Figure:
    """A panel with the importances of parameters, and a panel for each parameter with the scores over its values.

    Args:
        found: the results, with at least one score.
    """
    from matplotlib.figure import Figure

    trials = found.scored
    names = list(dict.fromkeys([*found.importances, *(name for trial in trials for name in trial.parameters)]))
    count = len(names) + bool(found.importances)
    across = min(count, 3 if count > 4 else 2)
    down = math.ceil(count / across)
    figure = Figure(figsize=(4.8 * across, 3.4 * down + 0.6), layout="constrained")
    panels = list(figure.subplots(down, across, squeeze=False).flatten())
    for axes in panels[count:]:
        axes.set_axis_off()
    if found.importances:
        _draw_importances(panels.pop(0), found)
    for axes, name in zip(panels, names, strict=False):
        _draw_scores(axes, name, [trial for trial in trials if name in trial.parameters], found)
    handles = {label: h for axes in panels for h, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    counts = [f"{sum(t.state == state for t in found.trials)} {state}" for state in STATES if state != "running"]
    figure.supxlabel(f"{len(found.trials)} trials: {', '.join(counts)}; one random seed", fontsize=8)
    return figure


def _draw_importances(axes: Axes, found: Found) -> None:
    names = list(found.importances)[::-1]
    axes.barh(names, [found.importances[name] for name in names], color="0.5")
    rough = ": rough" if len(found.finished) < ROUGH else ""
    axes.set(title="importance of parameters", xlabel=f"importance, from {len(found.finished)} finished trials{rough}")
    axes.set_xlim(0, 1)
    axes.grid(alpha=0.3, axis="x")


def _draw_scores(axes: Axes, name: str, trials: Sequence[Trial], found: Found) -> None:
    chosen = [trial.parameters[name] for trial in trials]
    words = list(dict.fromkeys(each for each in chosen if isinstance(each, str)))
    at = [words.index(each) if isinstance(each, str) else each for each in chosen]
    best = found.finished[:1]
    looks: dict[str, dict[str, Any]] = {
        "finished": {"marker": "o", "color": "C0", "alpha": 0.7},
        "pruned": {"marker": "x", "color": "0.6"},
    }
    for state, look in looks.items():
        points = [(x, t.score) for x, t in zip(at, trials, strict=True) if t.state == state]
        if points:
            label = "pruned, last measurement" if state == "pruned" else state
            axes.plot(*zip(*points, strict=True), linestyle="", label=label, **look)
    for x, trial in zip(at, trials, strict=True):
        if trial in best:
            axes.plot(x, trial.score, linestyle="", marker="*", markersize=14, color="C1", label="best")
    if words:
        axes.set_xticks(range(len(words)), [f"{w[:WIDEST]}…" if len(w) > WIDEST else w for w in words])
        axes.set_xlim(-0.5, len(words) - 0.5)
    elif name in found.logarithmic:
        axes.set_xscale("log")
    axes.set(title=name, ylabel=f"{found.figure} {ARROWS[found.better]}")
    axes.grid(alpha=0.3)
