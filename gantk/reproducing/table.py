"""The paper's numbers beside ours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gantk.evaluation.columns import Cell
from gantk.reproduction import Column, Reproduction

__all__ = ["Reproduced"]

CERTAIN = 2.0
"""Combined standard errors by which means differ for certain."""


@dataclass(frozen=True)
class Reproduced:
    """A reproduction with what was measured. It prints as Markdown."""

    name: str
    """Its name, such as `degan/table5`."""
    what: Reproduction
    cells: Mapping[str, Mapping[str, Cell]]
    """Row → title of a column → one value for each training; what could not be measured is missing."""
    protocols: tuple[str, ...]
    """Under which conditions the scores were computed."""
    pictures: tuple[tuple[str, str], ...]
    """Titles and file names."""
    quick: bool
    made: str
    """The command, the versions and the machine."""
    failed: Mapping[str, str]
    """What failed → why."""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _repr_markdown_(self) -> str:
        return str(self)

    def _lines(self) -> list[str]:
        lines = [f"# {self.name}: {self.what.title}", "", f"{self.what.paper}.", ""]
        if self.quick and self.what.quick is not None:
            lines += [f"**Scaled down (`--quick`)**: {self.what.quick.says} Its numbers are no reproduction.", ""]
        lines += [*self._table(), ""]
        lines += [f"* {sentence}" for column in self.what.columns for sentence in self._differences(column)]
        lines += [f"* Differs from the paper: {each}" for each in self.what.differs]
        lines += [f"* Failed: {what}: {why}" for what, why in self.failed.items()]
        if any(len(cell.values) > 1 for row in self.cells.values() for cell in row.values()):
            lines.append("* ± is the standard deviation over the trainings' seeds.")
        lines += ["", *(f"Protocol: {each}" for each in self.protocols), *([""] if self.protocols else [])]
        for title, file in self.pictures:
            lines += [f"{title}:", "", f"![{title}]({file})", ""]
        return [*lines, self.made, ""]

    def _table(self) -> list[str]:
        head = ["", *(f"{c.title}, {who}" for c in self.what.columns for who in ("paper", "here"))]
        rows = []
        for name, row in self.what.rows.items():
            cells = []
            for column in self.what.columns:
                number, found = row.paper.get(column.title), self.cells.get(name, {}).get(column.title)
                cells += ["" if number is None else _number(number, column)]
                cells += ["not measured" if found is None else _cell(found, column)]
            rows.append([name, *cells])
        used = [place for place in range(len(head)) if place == 0 or any(row[place] for row in rows)]
        return [
            "| " + " | ".join(line[place].replace("|", "\\|") for place in used) + " |"
            for line in (head, ["---"] * len(head), *rows)
        ]

    def _differences(self, column: Column) -> list[str]:
        """What a reader would say of a column: which row is first, and how far the numbers are from the paper's."""
        paper = {name: row.paper[column.title] for name, row in self.what.rows.items() if column.title in row.paper}
        ours = {name: each[column.title] for name, each in self.cells.items() if column.title in each}
        both = [name for name in paper if name in ours and math.isfinite(ours[name].mean)]
        said = []
        if column.better and len(both) > 1:
            said.append(self._first(column, both, paper, ours))
        if both:
            gaps = {name: ours[name].mean - paper[name] for name in both}
            most = max(both, key=lambda name: abs(gaps[name]))
            way = "higher" if gaps[most] > 0 else "lower"
            gap = f"{_number(abs(gaps[most]), column)} {way} here"
            far = f"{most} is {gap}" if len(both) == 1 else f"the row farthest from the paper is {most}, {gap}"
            said.append(f"{column.title}: {far}.")
        return said

    def _first(self, column: Column, both: Sequence[str], paper: Mapping[str, float], ours: Mapping[str, Cell]) -> str:
        sign = 1 if column.better == "higher" else -1
        theirs = max(both, key=lambda name: sign * paper[name])
        best = max(both, key=lambda name: sign * ours[name].mean)
        ranked = sorted(both, key=lambda name: -sign * ours[name].mean)
        if best == theirs:
            other = ranked[1]
            how = _apart(ours[best], ours[other])
            return f"{column.title}: {best} is first, as in the paper; {how} {other}, the second."
        how = _apart(ours[best], ours[theirs])
        return (
            f"{column.title}: in the paper, {theirs} is first; here it is number {ranked.index(theirs) + 1} of "
            f"{len(both)}, and {best} is first, {how} {theirs}."
        )


def _apart(one: Cell, other: Cell) -> str:
    if one.error is None or other.error is None:
        return "with too few seeds to tell it from"
    certain = abs(one.mean - other.mean) > CERTAIN * math.hypot(one.error, other.error)
    return "certainly apart from" if certain else "within the error of"


def _number(value: float, column: Column) -> str:
    return f"{value:.{column.digits}f}"


def _cell(cell: Cell, column: Column) -> str:
    spread = "" if cell.spread is None else f" ± {_number(cell.spread, column)}"
    return f"{_number(cell.mean, column)}{spread}"
