"""The figures that runs logged in training, as curves in one picture."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gantk.errors import UsageError, nearest
from gantk.evaluation.columns import better_of
from gantk.evaluation.entries import Entry, Row
from gantk.run.folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gantk.report.plot import Plot

__all__ = ["FIGURES", "Curves", "curves_figure", "logged_curves"]

FIGURES = (".png", ".svg", ".pdf")
"""Suffixes of what curves are drawn into."""

HEAD = "measure/"
CHARACTERS = 14
"""Characters of the text below curves in an inch of their figure."""
ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}

Curve = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Steps and values."""


@dataclass(frozen=True)
class Curves:
    """What rows of runs logged."""

    figures: Mapping[str, Sequence[Sequence[Curve]]]
    """Figure → for each row, the curve of each of its runs that logged it."""
    better: Mapping[str, str]
    """Figure → `lower`, `higher` or empty."""
    protocols: Sequence[str]
    """How they were measured, a line for each way."""
    refused: Mapping[str, str]
    """Figure → why the curves of these runs cannot stand beside each other."""


def logged_curves(rows: Sequence[Row], metrics: Sequence[str] = ()) -> Curves:
    """The figures in the logs of runs, as far as they were measured alike.

    Args:
        rows: the runs.
        metrics: the metrics or figures that are wanted, as `prdc` or `precision`; all where not given.

    Raises:
        UsageError: none were logged, or none alike.
    """
    logs = {entry: _measured(entry) for row in rows for entry in row.entries}
    figures: dict[str, list[list[Curve]]] = {}
    better: dict[str, str] = {}
    refused: dict[str, str] = {}
    protocols: dict[str, None] = {}
    logged = list(dict.fromkeys(name for log in logs.values() for name in log))
    for wanted in metrics if logged else ():
        if not any(_is_called(wanted, name) for name in logged):
            known = [_short(name) for name in logged]
            raise UsageError(f"nobody logged '{wanted}'; there are {', '.join(known)}.{nearest(wanted, known)}")
    for name in logged:
        if metrics and not any(_is_called(wanted, name) for wanted in metrics):
            continue
        entries = [entry for entry, log in logs.items() if name in log]
        if reason := _difference(name, entries):
            refused[_short(name)] = reason
            continue
        figures[_short(name)] = [[logs[e][name] for e in row.entries if name in logs[e]] for row in rows]
        better[_short(name)] = _better(name, entries[0])
        protocols[_line(entries[0])] = None
    if not figures:
        if refused:
            said = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
            raise UsageError(f"nothing was measured alike in training: {said}.")
        raise UsageError(
            "none of these runs logged a metric: build them with --metric frechet --set train.measure_every=500, or "
            "write a table, as -o table.md."
        )
    return Curves(figures, better, list(protocols), refused)


def _measured(entry: Entry) -> dict[str, Curve]:
    if entry.spec is None:
        return {}
    log = Run(entry.name).log
    found = {}
    for name, values in log.items():
        if name.startswith(HEAD) and not np.isnan(values).all():
            there = ~np.isnan(values)
            found[name] = (log["step"][there], values[there])
    return found


def _short(name: str) -> str:
    """`measure/prdc/precision` → `prdc/precision`."""
    return name.removeprefix(HEAD)


def _is_called(wanted: str, name: str) -> bool:
    short = _short(name)
    return wanted in (short, *short.split("/"))


def _metric(name: str, entry: Entry) -> Mapping[str, Any] | None:
    """What `model.toml` says of the metric that a logged name is of."""
    called = name.removeprefix(HEAD).partition("/")[0]
    parts = (entry.spec or {}).get("metric", ())
    return next((part for part in parts if str(part["plugin"]).rpartition(":")[2] == called), None)


def _better(name: str, entry: Entry) -> str:
    part = _metric(name, entry)
    return "" if part is None else better_of(part["plugin"]).get(name.rpartition("/")[2], "")


def _protocol(name: str, entry: Entry) -> dict[str, Any]:
    """What has to be equal for two curves of a figure."""
    spec = entry.spec or {}
    train = spec.get("train", {})
    return {
        "the data": spec.get("data"),
        "the size of the images": spec.get("shape", {}).get("image_shape"),
        "the number of real images": spec.get("shape", {}).get("images"),
        "train.measure_samples": train.get("measure_samples"),
        "train.extractor": train.get("extractor"),
        "the metric": _metric(name, entry),
    }


def _difference(name: str, entries: Sequence[Entry]) -> str:
    first = _protocol(name, entries[0])
    for entry in entries[1:]:
        for field, value in _protocol(name, entry).items():
            if value != first[field]:
                said = (json.dumps(each, default=str)[:60] for each in (first[field], value))
                return f"{field} is {next(said)} in {entries[0].name}, and {next(said)} in {entry.name}"
    return ""


def _line(entry: Entry) -> str:
    spec = entry.spec or {}
    train, data = spec.get("train", {}), str(spec.get("data", {}).get("plugin", "")).rpartition(":")[2]
    samples = min(train.get("measure_samples", 0), spec.get("shape", {}).get("images", 0))
    return (
        f"measured in training: {samples:,} generated and as many real images of {data}, features of "
        f"{train.get('extractor')} where a metric insists on none"
    )


def curves_figure(rows: Sequence[Row], curves: Curves) -> Plot:
    """A panel for each figure, a color for each row: the mean of its runs, and their standard deviation around it."""
    from gantk.report.plot import label, panels

    figure, places = panels(len(curves.figures), len(rows))
    for axes, (name, found) in zip(places, curves.figures.items(), strict=True):
        for number, each in enumerate(found):
            _draw(axes, each, f"C{number}", label(rows[number].name))
        axes.set(title=f"{name}{ARROWS[curves.better[name]]}", xlabel="step")
        axes.grid(alpha=0.3)
    handles = {name: h for axes in places for h, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=min(3, len(handles)))
    several = any(len(each) > 1 for found in curves.figures.values() for each in found)
    band = ["band: standard deviation over the seeds of the training"] if several else []
    wide = int(CHARACTERS * figure.get_figwidth())
    lines = [line for text in (*curves.protocols, *band) for line in textwrap.wrap(text, wide)]
    figure.supxlabel("\n".join(lines), fontsize=8)
    return figure


def _draw(axes: Axes, runs: Sequence[Curve], color: str, label: str) -> None:
    """The mean over the steps that all runs of a row logged; each run by itself where there are no such steps."""
    if not runs:
        return
    shared = set.intersection(*(set(steps.tolist()) for steps, _ in runs))
    if len(shared) < 2 and len(runs) > 1:
        for steps, values in runs:
            axes.plot(steps, values, color=color, label=label, marker=".")
        return
    steps = np.array(sorted(shared))
    values = np.stack([own[np.isin(at, steps)] for at, own in runs])
    mean = values.mean(axis=0)
    axes.plot(steps, mean, color=color, label=label, marker="." if len(steps) < 30 else "")
    if len(runs) > 1:
        spread = values.std(axis=0, ddof=1)
        axes.fill_between(steps, mean - spread, mean + spread, color=color, alpha=0.2, linewidth=0)
