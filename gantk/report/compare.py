"""`gantk.compare`: runs side by side, a column for each figure that was measured alike."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gantk.errors import RunError, UsageError, nearest
from gantk.evaluation.best import best_step, figure_names, is_called, kept_in_training
from gantk.evaluation.columns import Cell, Column, columns_of
from gantk.evaluation.entries import Entry, Row, differing_settings, found_entries, rows_of
from gantk.evaluation.protocol import shared_line
from gantk.evaluation.scores import Score
from gantk.files import place
from gantk.report.compare_files import KINDS, Grid
from gantk.report.curves import FIGURES, curves_figure, logged_curves
from gantk.report.outputs import writable, write_aside
from gantk.report.pictures import save_figure
from gantk.run.folder import Run
from gantk.written import write_part

if TYPE_CHECKING:
    from gantk.report.plot import Plot

__all__ = ["ComparedRuns", "compare"]

ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}

MOST = 4
"""Settings in which rows differ that are told."""


@dataclass(frozen=True)
class ComparedRuns:
    """Runs side by side. It prints as a table, and a notebook draws it."""

    rows: tuple[Row, ...]
    """Runs that differ in nothing but the seed stand in one row."""
    columns: tuple[Column, ...]
    """The figures, each measured alike in all rows."""
    steps: tuple[str, ...]
    """For each row, the step of the checkpoints that were measured."""
    refused: Mapping[str, str]
    """Metric → the fields of its protocol that differ, so that its numbers do not stand in one column."""
    best: str | None = None
    """The figure by which checkpoints were chosen; the newest that were measured where there is none."""
    kept: tuple[str, ...] = ()
    """What is said of checkpoints that training kept as the best ones, and out of how many."""

    def __str__(self) -> str:
        return KINDS[""](self.grid())

    def _repr_markdown_(self) -> str:
        return KINDS[".md"](self.grid())

    def cell(self, row: int, figure: str) -> Cell | None:
        """The value of a row, as `cell(0, "frechet").mean`; `None` where it was not measured.

        Raises:
            UsageError: there is no such figure.
        """
        for column in self.columns:
            if figure in (column.figure, column.name):
                return column.cells[row]
        known = [column.name for column in self.columns]
        raise UsageError(f"there is no figure '{figure}'.{nearest(figure, known)}")

    def plot(self, metrics: str | Sequence[str] = ()) -> Plot:
        """Draw the scores that were logged in training, with their spread over seeds, as a Matplotlib figure.

        Args:
            metrics: the metrics or figures to draw, as `prdc`, `precision` or `prdc/precision`; all where not given.

        Raises:
            UsageError: none of them were logged, or none alike.
        """
        wanted = [metrics] if isinstance(metrics, str) else metrics
        return curves_figure(self.rows, logged_curves(self.rows, wanted))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as Markdown, CSV or LaTeX, or the curves that were logged in training as a picture.

        Args:
            path: a file whose suffix says which: `.md`, `.csv`, `.tex`; `.png`, `.svg`, `.pdf`.

        Raises:
            UsageError: the suffix is another one, or no curves were logged.
            WorkError: the place cannot be written to.
        """
        output = place(path)
        writable(output, (*filter(None, KINDS), *FIGURES))
        if output.suffix.lower() in FIGURES:
            save_figure(self.plot(), output)
            return
        content = KINDS[output.suffix.lower()](self.grid()).encode()
        write_aside(output, lambda file: file.write(content))

    def grid(self) -> Grid:
        """What its table shows."""
        numbers = self._protocols()
        several = len(numbers) > 1
        titles = []
        for column, number in zip(self.columns, self._numbers(numbers), strict=True):
            alone = [each.figure for each in self.columns].count(column.figure) == 1
            name = column.figure if alone else column.name
            titles.append(f"{name}{f' [{number}]' if several else ''}{ARROWS[column.better]}")
        return Grid(
            titles=titles,
            names=[row.name for row in self.rows],
            runs=[[entry.name for entry in row.entries] for row in self.rows],
            seeds=[row.seeds for row in self.rows],
            steps=list(self.steps),
            cells=[[column.cells[number] for column in self.columns] for number in range(len(self.rows))],
            ahead=[column.ahead for column in self.columns],
            notes=self._notes(titles),
            protocols=[f"[{number}] {text}" if several else text for text, number in numbers.items()],
        )

    def _lines(self) -> list[str]:
        return [shared_line(column.protocols) for column in self.columns]

    def _numbers(self, numbers: Mapping[str, int]) -> list[int]:
        metrics = self._metrics()
        return [numbers[f"{metrics[line]}: {line}"] for line in self._lines()]

    def _metrics(self) -> dict[str, str]:
        """Protocol → the metrics that were measured by it."""
        found: dict[str, dict[str, None]] = {}
        for column, line in zip(self.columns, self._lines(), strict=True):
            found.setdefault(line, {})[column.metric] = None
        return {line: ", ".join(names) for line, names in found.items()}

    def _protocols(self) -> dict[str, int]:
        texts = [f"{names}: {line}" for line, names in self._metrics().items()]
        return {text: number for number, text in enumerate(texts, 1)}

    def _notes(self, titles: Sequence[str]) -> list[str]:
        cells = [cell for column in self.columns for cell in column.cells if cell is not None]
        notes = []
        if any(cell.spread is not None for cell in cells):
            notes.append("±: standard deviation over the seeds of the training")
        if any(column.ahead is not None for column in self.columns):
            notes.append("{mark}: ahead of every other row by more than twice their combined standard error")
        unmarked: dict[str, list[str]] = {}
        for column, title in zip(self.columns, titles, strict=True):
            if column.why:
                unmarked.setdefault(column.why, []).append(title.rstrip("↓↑ "))
        notes += [f"nothing is marked in {', '.join(names)}: {why}" for why, names in unmarked.items()]
        notes += [f"not compared: {name}: {reason}" for name, reason in self.refused.items()]
        if self.best is not None:
            notes.append(f"checkpoints were chosen by {self.best}, each the best of so many that were measured")
        notes += self.kept
        if len(self.rows) > 1 and (settings := differing_settings(self.rows)):
            said = [f"{path} ({', '.join(map(_value, values))})" for path, values in settings.items()]
            more = f", and {len(said) - MOST} more settings" if len(said) > MOST else ""
            notes.append(f"rows differ in {', '.join(said[:MOST])}{more}")
        return notes


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " and ".join(map(_value, value)) or "none"
    if isinstance(value, Mapping) and "plugin" in value:
        options = {name: each for name, each in value.items() if name != "plugin"}
        return write_part(str(value["plugin"]).removeprefix("gantk:"), options)
    return "none" if value is None else f"{value!s:.40}"


def compare(
    runs: Iterable[str | os.PathLike[str] | Run],
    *,
    metrics: str | Sequence[str] | None = None,
    best: str | None = None,
) -> ComparedRuns:
    """Put the scores of runs side by side: a row for runs that differ in nothing but the seed, with mean and spread.

    Only numbers with the same protocol stand in one column. A row is marked where it is better than every other one by
    more than twice their combined standard error, which takes two seeds at least::

        print(gantk.compare(["runs/a-0", "runs/a-1", "runs/b-0", "runs/b-1"]))

    Args:
        runs: runs, their checkpoints, or folders of runs, that `gantk.evaluate` measured; images that it measured too.
        metrics: the metrics or figures that are wanted, as `prdc` or `precision`; all where not given.
        best: choose the checkpoint of each run that is best by this figure, in place of the newest that was measured.

    Raises:
        RunError: there is no such run, or it has no scores.
        UsageError: no figure was measured alike in all of them, or one that was named was not.
    """
    entries = found_entries(runs)
    wanted = [metrics] if isinstance(metrics, str) else list(metrics or ())
    chosen = [_checkpoint(entry, best) for entry in entries]
    scores = {entry: entry.at(step) for entry, (step, _) in zip(entries, chosen, strict=True)}
    rows = rows_of(entries, [None if best else step for step, _ in chosen])
    columns, refused = columns_of(rows, scores)
    if wanted:
        columns, refused = _wanted(wanted, columns, refused, [s for each in scores.values() for s in each])
    if not columns:
        said = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise UsageError(f"nothing was measured alike: {said}; measure all alike with gantk evaluate.")
    steps = dict(zip(entries, chosen, strict=True))
    said_steps = tuple(_steps([steps[entry] for entry in row.entries], best) for row in rows)
    kept = tuple(filter(None, (kept_in_training(entry, step) for entry, (step, _) in steps.items())))
    return ComparedRuns(tuple(rows), tuple(columns), said_steps, refused, best, kept)


def _checkpoint(entry: Entry, best: str | None) -> tuple[int | None, int]:
    """The step whose scores stand for a run, and out of how many it was chosen."""
    if not entry.scores:
        raise RunError(f"{entry.name} has no scores: run gantk evaluate {Run(entry.name).typed} first.")
    if best is not None and entry.asked is None:
        return best_step(entry, best)
    if not entry.at(entry.newest):
        known = ", ".join(map(str, entry.steps))
        raise RunError(
            f"{entry.name} has no scores of step {entry.newest}, only of {known}: run gantk evaluate "
            f"{Run(entry.name).typed} --step {entry.newest} first."
        )
    return entry.newest, 1


def _steps(chosen: Sequence[tuple[int | None, int]], best: str | None) -> str:
    steps = ", ".join(dict.fromkeys("" if step is None else f"{step:,}" for step, _ in chosen))
    looked = ", ".join(dict.fromkeys(str(count) for _, count in chosen))
    return f"{steps} (best of {looked})" if best is not None and steps else steps


def _wanted(
    wanted: Sequence[str], columns: Sequence[Column], refused: Mapping[str, str], scores: Sequence[Score]
) -> tuple[list[Column], dict[str, str]]:
    """The columns that were named.

    Raises:
        UsageError: there are no such scores, or they were not measured alike.
    """
    kept: set[int] = set()
    for name in wanted:
        meant = [s for s in scores if name in (s.metric.rpartition(":")[2], s.metric, s.name)]
        figures = [s for s in scores if any(is_called(name, s, figure) for figure in s.figures)]
        if not meant and not figures:
            known = list(dict.fromkeys([*(s.metric.rpartition(":")[2] for s in scores), *figure_names(scores)]))
            raise UsageError(f"nobody measured '{name}'.{nearest(name, known)}")
        for score in meant or figures:
            if score.name in refused:
                raise UsageError(f"{score.name} was not measured alike: {refused[score.name]}; measure all alike.")
        names = {score.name for score in meant}
        kept |= {
            number
            for number, column in enumerate(columns)
            if column.metric in names or name in (column.figure, column.name, f"{column.metric}/{column.figure}")
        }
    return [columns[number] for number in sorted(kept)], {}
