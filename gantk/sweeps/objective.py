"""The objective of a search: a figure of a metric."""

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
    """A figure that is measured in training, and whether lower or higher values are better."""

    figure: str
    """The figure, such as `frechet/frechet`."""
    better: str
    """`lower` or `higher`."""

    @property
    def logged(self) -> str:
        """Its name in the log."""
        return f"measure/{self.figure}"


def objective_of(metrics: Sequence[str]) -> tuple[Objective, tuple[str, ...]]:
    """Read the objective of a search from its metrics.

    Args:
        metrics: metrics with options; the first one may include a figure, such as `prdc:k=3/coverage`.

    Returns:
        the objective: the given figure of the first metric, or else its first figure for which lower or higher values
        are better; and the metrics without the figure.

    Raises:
        UsageError: there are no metrics, or the first one has no such figure.
    """
    if not metrics:
        raise UsageError(
            "the search needs an objective: give a metric, such as --metric frechet or --metric prdc/coverage."
        )
    metric, figure = metrics[0].strip(), ""
    if match := FIGURE.fullmatch(metric):
        metric, figure = match["metric"], match["figure"]
    if len(alternatives(metric)) > 1:
        raise UsageError(
            f"--metric {metric}: the first metric is the objective and cannot have alternatives: choose one."
        )
    table = part_table("metric", named("metric", metric)[0])
    name, better = bare_name(table), part_class("metric", table["plugin"]).better
    if not better:
        raise OptionError(f"--metric {metric}: the metric does not declare whether lower or higher values are better.")
    if figure and figure not in better:
        raise OptionError(
            f"--metric {metric}/{figure}: the metric has no such figure to search by.{nearest(figure, better)}"
        )
    figure = figure or next(iter(better))
    return Objective(f"{name}/{figure}", better[figure]), (metric, *metrics[1:])
