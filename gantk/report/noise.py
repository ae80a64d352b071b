"""A model's noise beside Gaussian noise, along two principal components: DE-GAN's Figure 11."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gantk.measures.principal import PrincipalComponents
from gantk.report.table import table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST", "noise_figure", "noise_table"]

MOST = 0.9
"""The table says how many components hold this share of the variance."""


def noise_table(found: Mapping[str, PrincipalComponents]) -> str:
    """One line for each noise, by its name."""
    rows = [
        (name, f"{float(each.shares[:2].sum()):.1%}", f"{each.needed(MOST)} of {len(each.variances)}")
        for name, each in found.items()
    ]
    return table(rows, ("NOISE", "VARIANCE ALONG 2 COMPONENTS", f"COMPONENTS FOR {MOST:.0%}"))


def noise_figure(found: Mapping[str, PrincipalComponents]) -> Figure:
    """A figure with one scatter plot for each noise, all of one scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(found), 4.4), layout="constrained")
    limit = 1.05 * max(float(each.projected.abs().max()) for each in found.values()) or 1.0
    for index, (name, each) in enumerate(found.items()):
        axes = figure.add_subplot(1, len(found), index + 1)
        x, y = each.projected[:, :2].T.numpy()
        axes.scatter(x, y, s=4, alpha=0.5, linewidths=0, color=f"C{index}")
        first, second = (f"{float(share):.1%}" for share in (*each.shares[:2], 0.0)[:2])
        axes.set(
            title=name,
            xlabel=f"component 1 ({first} of the variance)",
            ylabel=f"component 2 ({second})",
            xlim=(-limit, limit),
            ylim=(-limit, limit),
            aspect="equal",
        )
        axes.grid(alpha=0.3)
    return figure
