"""Plain text tables."""

from __future__ import annotations

from collections.abc import Sequence

from gantk.printable import one_line

__all__ = ["table"]


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Align columns, with two spaces between them; a cell is one line, whatever it says."""
    everything = [list(map(one_line, row)) for row in ([header, *rows] if header else rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*everything, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in everything]
    return "\n".join(line.rstrip() for line in lines)
