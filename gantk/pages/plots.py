"""`gantk.plot_curves` and `gantk.plot_interpolation`: what a page shows, as Matplotlib figures."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gantk.errors import UsageError, nearest
from gantk.grids import grid, opaque
from gantk.measures.interpolation import PATHS, strips
from gantk.pages.charts import Chart, charts_of
from gantk.pages.subject import named_runs
from gantk.pages.tracks import Track, track_of
from gantk.report.pictures import check_drawable
from gantk.run.entries import read_log
from gantk.run.folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gantk.model import Model
    from gantk.report.plot import Plot

__all__ = ["plot_curves", "plot_interpolation"]

POINTS = 800
"""Points of a curve, at most; where a log has more lines, a point is the mean of several."""
GAP = 2
"""Pixels between the images of strips."""
COLORS = 10
"""Different colors; runs beyond these are dashed."""


def plot_curves(
    runs: str | os.PathLike[str] | Run | Sequence[str | os.PathLike[str] | Run],
    values: str | Sequence[str] | None = None,
) -> Plot:
    """Draw what runs logged in training: the curves of `gantk report`, as a Matplotlib figure.

    One run has a panel for each player and each metric; several runs are drawn over each other, a panel for each value.
    A run that is being trained can be drawn too::

        gantk.plot_curves("runs/x").savefig("curves.pdf")
        gantk.plot_curves(["runs/a", "runs/b"], values="generator")

    Args:
        runs: a run, or several: their folders, or folders of runs.
        values: the logged values to draw, by name, such as `generator/hidden`, or by a part of their names, such as
            `generator`; by default losses, scores and speed, without the parts of losses if there are several runs.

    Returns:
        the figure, which a notebook draws.

    Raises:
        RunError: there is no such run, or its log cannot be read.
        UsageError: nothing was logged so far, or no value of that name.
    """
    found = named_runs([runs] if isinstance(runs, (str, os.PathLike, Run)) else list(runs))
    wanted = [values] if isinstance(values, str) else list(values or ())
    tracks = _with_values([track_of(read_log(run.log_file), POINTS) for run, _, _ in found], wanted)
    names = [name for _, _, name in found]
    groups = charts_of(tracks, names, [run.spec() for run, _, _ in found])
    return _drawn([chart for group in groups if group.open or wanted for chart in group.charts], tracks, names)


def _with_values(tracks: Sequence[Track], wanted: Sequence[str]) -> list[Track]:
    known = list(dict.fromkeys(name for track in tracks for name in track.values))
    if not known:
        raise UsageError("nothing was logged so far: train with gantk.train, or gantk train RUN.")
    meant: set[str] = set()
    for each in wanted:
        found = [each] if each in known else [name for name in known if f"/{each}/" in f"/{name}/"]
        if not found:
            raise UsageError(f"nobody logged '{each}'; there are {', '.join(known)}.{nearest(each, known)}")
        meant.update(found)
    if not wanted:
        return list(tracks)
    return [
        replace(track, values={name: row for name, row in track.values.items() if name in meant}) for track in tracks
    ]


def _drawn(charts: Sequence[Chart], tracks: Sequence[Track], names: Sequence[str]) -> Plot:
    from gantk.report.plot import label, panels

    several = len(tracks) > 1
    figure, places = panels(len(charts), len(names) if several else 0)
    for axes, chart in zip(places, charts, strict=True):
        for number, series in enumerate(chart.series):
            track, place = tracks[series.run], series.run if several else number
            steps, values = _points(track.steps, track.values[series.name])
            axes.plot(
                steps,
                values,
                color=f"C{place % COLORS}",
                linestyle="-" if place < COLORS else "--",
                marker="." if len(steps) < 30 else "",
                label=label(series.label),
            )
        note = "\n".join(textwrap.wrap(chart.note, 60))
        axes.set(title=label(chart.title), xlabel=f"step\n{label(note)}" if note else "step")
        axes.grid(alpha=0.3)
        if not several:
            _mark_stages(axes, tracks[0])
            if len(chart.series) > 1:
                axes.legend(fontsize=8)
    if several:
        drawn = {str(line.get_label()): line for axes in places for line in axes.lines}
        figure.legend(drawn.values(), drawn.keys(), loc="outside upper center", ncols=min(3, len(drawn)))
    return figure


def _points(steps: Sequence[float], values: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """The points of a curve, without the steps at which it was not logged."""
    there = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
    return [step for step, _ in there], [value for _, value in there]


def _mark_stages(axes: Axes, track: Track) -> None:
    """A line where each stage but the first begins, with its name."""
    from gantk.report.plot import label

    for name, step in track.stages[1:]:
        axes.axvline(step, color="gray", linewidth=0.8, linestyle=":")
        axes.annotate(
            label(name), (step, 1), xycoords=("data", "axes fraction"), xytext=(2, -2), textcoords="offset points",
            fontsize=7, color="gray", va="top",
        )  # fmt: skip


def plot_interpolation(
    model: Model, rows: int = 4, steps: int = 10, *, path: str = "linear", seed: int = 0, refine: bool = True
) -> Plot:
    """Draw strips of images that lead from one noise vector to another, as `gantk interpolate` does.

    Args:
        model: a model, as from `gantk.load`.
        rows: the number of strips, each between two other random noise vectors.
        steps: images per strip, 2 or more, including both ends.
        path: `linear`, or `spherical` for a great circle.
        seed: 0 … 2⁶³ - 1; the same seed gives the same strips.
        refine: whether to apply the refiner, if the model has one.

    Returns:
        the figure, which a notebook draws.

    Raises:
        UsageError: an argument is out of range, or the images have more than 4 channels.
    """
    if path not in PATHS:
        raise UsageError(f"there is no path '{path}'; there are {', '.join(PATHS)}.{nearest(path, list(PATHS))}")
    if rows < 1 or steps < 2:
        raise UsageError(f"strips need at least 1 row and 2 steps, not {rows} and {steps}.")
    check_drawable(model.image_shape)
    images = model.generate(strips(model.sample_noise(2 * rows, seed), steps, PATHS[path]), refine=refine)
    return _strips_figure(np.asarray(opaque(grid(images, steps, GAP))), steps, model.image_shape[2])


def _strips_figure(pixels: npt.NDArray[np.uint8], steps: int, width: int) -> Plot:
    from gantk.report.plot import Plot

    inches = max(4.0, 0.9 * steps)
    figure = Plot(figsize=(inches, inches * pixels.shape[0] / pixels.shape[1] + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    centers = [GAP + (width + GAP) * number + width / 2 for number in range(steps)]
    axes.set_xticks(centers, [f"{number / (steps - 1):.2g}" for number in range(steps)])
    axes.set(yticks=[], xlabel="fraction of the way from one noise vector to the other")
    axes.spines[:].set_visible(False)
    return figure
