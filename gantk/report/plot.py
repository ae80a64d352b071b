"""Matplotlib figures that a notebook draws, and panels in them."""

from __future__ import annotations

import io
import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gantk.printable import one_line

__all__ = ["Plot", "label", "panels"]


class Plot(Figure):
    """A Matplotlib figure that a notebook draws once, whether or not pyplot was imported.

    pyplot does not know of it, so that it need not be closed. `.savefig("x.pdf")` writes it; `.axes` are its panels.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def panels(count: int, legend: int) -> tuple[Plot, list[Axes]]:
    """A figure with this many panels, at least one, and with space for so many lines of legend above them."""
    across = min(count, 3 if count > 4 else 2)
    down = math.ceil(count / across)
    figure = Plot(figsize=(4.8 * across, 3.2 * down + 0.5 + 0.2 * legend), layout="constrained")
    found = list(figure.subplots(down, across, squeeze=False).flatten())
    for axes in found[count:]:
        axes.set_axis_off()
    return figure, found[:count]


def label(text: str) -> str:
    """A text as Matplotlib draws it as it is: on one line, and with dollars that do not begin a formula."""
    return one_line(text).replace("$", r"\$")
