"""A comparison as text, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gantk.evaluation.columns import Cell
from gantk.report.table import table

__all__ = ["KINDS", "Grid", "cell_text"]


@dataclass(frozen=True)
class Grid:
    """What a table shows."""

    titles: Sequence[str]
    """Of the columns."""
    names: Sequence[str]
    """Of the rows."""
    runs: Sequence[Sequence[str]]
    seeds: Sequence[Sequence[int]]
    steps: Sequence[str]
    cells: Sequence[Sequence[Cell | None]]
    """By row and column."""
    ahead: Sequence[int | None]
    """For each column, the row that is marked."""
    notes: Sequence[str]
    """Lines under the table; `{mark}` is the mark."""
    protocols: Sequence[str]
    """How the numbers came about."""

    def body(self, mark: Callable[[str], str]) -> list[list[str]]:
        """The rows as text."""
        rows = []
        for number, name in enumerate(self.names):
            seeds = ", ".join(map(str, self.seeds[number])) or "–"
            cells = [cell_text(cell, len(self.runs[number])) for cell in self.cells[number]]
            marked = [mark(text) if at == number else text for text, at in zip(cells, self.ahead, strict=True)]
            rows.append([name, seeds, self.steps[number] or "–", *marked])
        return rows

    def under(self, mark: str) -> list[str]:
        """The lines under the table."""
        return [*(note.replace("{mark}", mark) for note in self.notes), *self.protocols]


def cell_text(cell: Cell | None, runs: int = 1) -> str:
    """`12.34 ± 0.41`, with as many digits as the spread gives meaning to; how many runs, where not all have it."""
    if cell is None:
        return "–"
    few = f" ({len(cell.values)} of {runs})" if len(cell.values) < runs else ""
    if not cell.spread:
        return f"{cell.mean:.4g}{'' if cell.spread is None else ' ± 0'}{few}"
    digits = min(8, max(0, 1 - math.floor(math.log10(cell.spread))))
    return f"{cell.mean:.{digits}f} ± {cell.spread:.{digits}f}{few}"


def _text(grid: Grid) -> str:
    rows = grid.body(lambda text: f"{text} *")
    return "\n".join([table(rows, ("MODEL", "SEEDS", "STEP", *grid.titles)), "", *grid.under("*")])


def _markdown(grid: Grid) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(_markdown_cell(cell) for cell in cells)} |"

    head = ["model", "seeds", "step", *grid.titles]
    rows = [[_markdown_escaped(row[0]), *row[1:]] for row in grid.body(lambda text: f"**{text}**")]
    rule = f"| --- | --- | ---: |{' ---: |' * len(grid.titles)}"
    under = [f"- {_markdown_escaped(text)}" for text in grid.under("bold")]
    return "\n".join([line([*head[:3], *map(_markdown_escaped, head[3:])]), rule, *map(line, rows), "", *under, ""])


def _markdown_cell(text: str) -> str:
    return " ".join(text.split())


def _markdown_escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\|*_`[]<>#" else each for each in text)


def _csv(grid: Grid) -> str:
    """A row for each model; mean, spread and number of runs of each figure, unrounded; the protocols at the end."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    titles = [title.rstrip("↓↑ ") for title in grid.titles]
    figures = [name for title in titles for name in (title, f"{title} spread", f"{title} runs", f"{title} marked")]
    writer.writerow(["model", "runs", "seeds", "step", *figures, "protocol"])
    for number, name in enumerate(grid.names):
        cells: list[str | float | int] = []
        for cell, ahead in zip(grid.cells[number], grid.ahead, strict=True):
            if cell is None:
                cells += ["", "", 0, ""]
                continue
            cells += [repr(cell.mean), "" if cell.spread is None else repr(cell.spread), len(cell.values)]
            cells.append("yes" if ahead == number else "")
        seeds = " ".join(map(str, grid.seeds[number]))
        runs, step = " ".join(grid.runs[number]), grid.steps[number].replace(",", "")
        writer.writerow([name, runs, seeds, step, *cells, " | ".join(grid.protocols)])
    return file.getvalue()


TEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "–": "--",
    "…": r"\dots{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "[": "{[}",
    "]": "{]}",
    **{each: f"\\{each}" for each in "_%&#$"},
}


def _latex(grid: Grid) -> str:
    """A `tabular` that needs no package, with the lines under it."""

    def line(cells: Sequence[str]) -> str:
        return f"{' & '.join(cells)} \\\\"

    plain = grid.body(lambda text: text)
    rows = [[_tex(cell) for cell in row] for row in plain]
    for column, number in enumerate(grid.ahead, 3):
        if number is not None:
            rows[number][column] = f"\\textbf{{{rows[number][column]}}}"
    lines = [
        f"\\begin{{tabular}}{{ll{'r' * (len(grid.titles) + 1)}}}",
        "\\hline",
        line(["model", "seeds", "step", *map(_tex, grid.titles)]),
        "\\hline",
        *map(line, rows),
        "\\hline",
        "\\end{tabular}",
        "",
        *(f"{{\\footnotesize {_tex(text)}\\par}}" for text in grid.under("bold")),
    ]
    return "\n".join([*lines, ""])


def _tex(text: str) -> str:
    return "".join(TEX.get(each, each) for each in text)


KINDS: Mapping[str, Callable[[Grid], str]] = {"": _text, ".md": _markdown, ".csv": _csv, ".tex": _latex}
"""Suffix → what writes such a file."""
