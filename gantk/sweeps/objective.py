"""What a search goes by: one figure of a metric."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gantk.building.construct import part_class
from gantk.building.given import named
from gantk.building.spec import bare_name, part_table
from gantk.errors import OptionError, UsageError, nearest
from gantk.sweeps.grid import alternatives

__all__ = ["Objective", "objective_of"]

FIGURE = re.compile(r"(?P<metric>.+)/(?P<figure>[A-Za-z_]\w*)", re.DOTALL)


@dataclass(frozen=True)
class Objective:
    """A figure that is measured in training, and which of its values are better."""

    figure: str
    """As `frechet/frechet`."""
    better: str
    """`lower` or `higher`."""

    @property
    def logged(self) -> str:
        """Its name in the log."""
        return f"measure/{self.figure}"


def objective_of(metrics: Sequence[str]) -> tuple[Objective, tuple[str, ...]]:
    """What a search goes by, of the metrics that are measured.

    Args:
        metrics: metrics with their options, the first one perhaps with a figure, as `prdc:k=3/coverage`.

    Returns:
        the first one's figure, its first one that is better when it is lower or higher where none is named; and the
        metrics without it.

    Raises:
        UsageError: there is none, or it has no such figure.
    """
    if not metrics:
        raise UsageError("what is better? Give the metric to search by, as --metric frechet or --metric prdc/coverage.")
    metric, figure = metrics[0].strip(), ""
    if match := FIGURE.fullmatch(metric):
        metric, figure = match["metric"], match["figure"]
    if len(alternatives(metric)) > 1:
        raise UsageError(f"--metric {metric}: a search goes by one metric; give the one first that decides.")
    table = part_table("metric", named("metric", metric)[0])
    name, better = bare_name(table), part_class("metric", table["plugin"]).better
    if not better:
        raise OptionError(f"--metric {metric}: it does not say whether lower or higher values are better.")
    if figure and figure not in better:
        raise OptionError(f"--metric {metric}/{figure}: it has no such figure to go by.{nearest(figure, better)}")
    figure = figure or next(iter(better))
    return Objective(f"{name}/{figure}", better[figure]), (metric, *metrics[1:])
