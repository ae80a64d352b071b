"""The charts of a page: which curves stand in which one, and the table behind each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gantk.evaluation.columns import better_of
from gantk.pages.attempts import attempted
from gantk.pages.tracks import SPEED, Track
from gantk.printable import one_line

__all__ = ["Chart", "Group", "charts_of", "numbers"]

ROWS = 24
"""Rows of a table, over all runs."""

PARTS = CLOSED = 3
"""The group of the parts of losses, if several runs are shown; it and those after it are closed at first."""

LONGEST = 80
"""Characters of a name."""


@dataclass(frozen=True)
class Series:
    """One curve."""

    run: int
    label: str
    name: str
    """The name in the log."""


@dataclass(frozen=True)
class Chart:
    """Curves that share an axis."""

    title: str
    series: Sequence[Series]
    note: str
    columns: Sequence[str]
    """Of the table behind it."""
    rows: Sequence[Sequence[str]]


@dataclass
class Group:
    """Charts of one kind."""

    title: str
    charts: list[Chart] = field(default_factory=list)
    open: bool = True
    """Whether it is shown at first."""


def charts_of(tracks: Sequence[Track], names: Sequence[str], specs: Sequence[Mapping[str, Any]]) -> list[Group]:
    """The charts of one run, a chart for each player; or of several, a chart for each value with all runs in it.

    Args:
        tracks: the curves of each run.
        names: the names of the runs.
        specs: what each was built from.
    """
    logged = list(dict.fromkeys(name for track in tracks for name in track.values))
    better = _better(specs)
    titles = ("Losses", "Scores in training", "Speed", "Parts of the losses", "Gradients, weights and states")
    groups = [Group(title, open=number < CLOSED) for number, title in enumerate(titles)]
    found: dict[tuple[int, str], list[str]] = {}
    for name in logged:
        number, title = _home(name)
        if len(tracks) > 1:
            number, title = PARTS if number == 0 and name.count("/") > 1 else number, name
        found.setdefault((number, title), []).append(name)
    for (number, title), inside in found.items():
        series = [
            Series(run, _label(name, title) if len(tracks) == 1 else names[run], name)
            for name in inside
            for run, track in enumerate(tracks)
            if any(value is not None for value in track.values.get(name, ())) and not _is_repetition(track, name)
        ]
        if series:
            groups[number].charts.append(_chart(_shown(title), series, tracks, names, better))
    return [group for group in groups if group.charts]


def _home(name: str) -> tuple[int, str]:
    """The group of a value, and the title of its chart in the page of one run."""
    player, _, rest = name.partition("/")
    if name == SPEED:
        return 2, name
    if player == "measure":
        return 1, name
    if rest == "gradient_norm":
        return 4, "gradient norms"
    if rest.endswith("weight") and rest != "weight":
        return 4, "weights of terms"
    if rest.startswith("state/"):
        return 4, name
    return 0, player


def _label(name: str, title: str) -> str:
    short = name.removeprefix(f"{title}/") if name != title else _shown(name)
    return _cut(short.replace("/gradient_norm", "").replace("/state/", "/"))


def _shown(title: str) -> str:
    return "images per second" if title == SPEED else _cut(title.removeprefix("measure/").replace("/state/", ": "))


def _cut(text: str) -> str:
    text = one_line(text)  # a script writes it into the page
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _is_repetition(track: Track, name: str) -> bool:
    """Whether it is an objective that equals its only term."""
    player, _, rest = name.partition("/")
    if rest != "objective":
        return False
    terms = [values for other, values in track.values.items() if other.startswith(f"{player}/") and other != name]
    return track.values[name] in terms


def _better(specs: Sequence[Mapping[str, Any]]) -> Callable[[str], str]:
    plugins = [plugin for spec in specs for plugin in attempted(partial(_metrics, spec)).value or ()]
    metrics = {plugin.rpartition(":")[2]: plugin for plugin in plugins}
    directions = {name: better_of(plugin) for name, plugin in metrics.items()}

    def of(name: str) -> str:
        _, _, rest = name.partition("/")
        metric, _, figure = rest.partition("/")
        return str(directions.get(metric, {}).get(figure, ""))

    return of


def _metrics(spec: Mapping[str, Any]) -> list[str]:
    return [str(each["plugin"]) for each in spec.get("metric", [])]


def _chart(
    title: str, series: Sequence[Series], tracks: Sequence[Track], names: Sequence[str], better: Callable[[str], str]
) -> Chart:
    notes = [f"{word} is better" for word in dict.fromkeys(better(each.name) for each in series) if word]
    for each in series:
        first = tracks[each.run].not_finite.get(each.name)
        if first is not None:
            notes.append(f"{each.label} was NaN or infinite at step {first:,} and maybe later, where nothing is drawn")
    several = len(tracks) > 1
    columns = ["run", "step", "value"] if several else ["step", *(each.label for each in series)]
    rows = []
    for run in dict.fromkeys(each.run for each in series):
        track, own = tracks[run], [each for each in series if each.run == run]
        there = [n for n in range(len(track.steps)) if any(track.values[each.name][n] is not None for each in own)]
        for row in _some(there, max(6, ROWS // len(tracks))):
            cells = [f"{track.steps[row]:,.0f}", *(_text(track.values[each.name][row]) for each in own)]
            rows.append([names[run], *cells] if several else cells)
    return Chart(title, series, "; ".join(notes), columns, rows)


def _some(places: Sequence[int], count: int) -> list[int]:
    """Some of them, evenly, with the first and the last."""
    if len(places) <= count:
        return list(places)
    return [places[round(number * (len(places) - 1) / (count - 1))] for number in range(count)]


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def numbers(tracks: Sequence[Track], groups: Sequence[Group]) -> dict[str, Any]:
    """The points of all charts, for the page's script."""
    return {
        "runs": [
            {
                "steps": track.steps,
                "images": track.images,
                "hours": [round(each, 6) for each in track.hours],
                "stages": track.stages,
            }
            for track in tracks
        ],
        "charts": [
            [
                {"run": each.run, "label": each.label, "values": tracks[each.run].values[each.name]}
                for each in chart.series
            ]
            for group in groups
            for chart in group.charts
        ],
    }
