"""`gantk.report`: runs as one HTML file that opens anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from gantk.errors import UsageError
from gantk.files import place
from gantk.pages.attempts import attempted
from gantk.pages.charts import charts_of, numbers
from gantk.pages.drawn import TrainingImages
from gantk.pages.machine import here
from gantk.pages.page import html
from gantk.pages.subject import named_runs, subject_of
from gantk.pages.tracks import track_of
from gantk.pages.view import view_of
from gantk.report.compare import compare
from gantk.report.outputs import claimed, writable, write_aside
from gantk.run.folder import Run

__all__ = ["FILE", "SUFFIXES", "place_of", "report"]

FILE = "report.html"
SUFFIXES = (".html", ".htm")
MOST_RUNS = 12
SAMPLES = 2_400_000
"""Characters that the sample grids of all runs take, at most."""
POINTS, MOST_ROWS, LEAST_ROWS = 120_000, 800, 60
"""Points of all curves; rows of one run's."""
SIDES = ((2, 128), (5, 96), (MOST_RUNS, 64))
"""Up to this many runs: the longest side of single images."""

AnyRun = str | os.PathLike[str] | Run


def report(
    runs: AnyRun | Sequence[AnyRun],
    output: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[str, float], object] | None = None,
) -> Path:
    """Write a page that shows runs: what was built, how training went, what the model draws, and how good it is.

    The page is one HTML file below 5 MB that loads nothing else. What a run lacks, such as scores or its data set, is
    said in the page. A run that is being trained is not disturbed::

        gantk.report("runs/x")
        gantk.report(["runs/a", "runs/b"], "a-and-b.html")

    Args:
        runs: a run, or several whose curves are drawn over each other: their folders, checkpoints, or folders of runs.
        output: the file, `.html`; by default `report.html` in the run, or here for several runs.
        progress: receives what is being done, and the fraction of it that is done.

    Returns:
        the file.

    Raises:
        RunError: there is no such run, or its `model.toml` or its log is damaged.
        UsageError: no run or too many are named, or the file has another suffix.
        WorkError: the file cannot be written.
    """
    listed = [runs] if isinstance(runs, (str, os.PathLike, Run)) else list(runs)
    found = named_runs(listed)
    if not 0 < len(found) <= MOST_RUNS:
        raise UsageError(f"a report shows 1 to {MOST_RUNS} runs, not {len(found)}: name those that you want to see.")
    path = place_of([run for run, _, _ in found]) if output is None else place(output)
    writable(path, SUFFIXES)
    with claimed(path):
        content = _page(found, progress or (lambda what, done: None)).encode("utf-8", "replace")
        write_aside(path, lambda file: file.write(content))
    return path


def place_of(runs: Sequence[Run]) -> Path:
    """Where a report goes by default."""
    return runs[0].path / FILE if len(runs) == 1 else Path(FILE)


def _page(found: Sequence[tuple[Run, int | None, str]], tell: Callable[[str, float], object]) -> str:
    subjects = [subject_of(run, step, name) for run, step, name in found]
    names = [name for _, _, name in found]
    values = sum(len({name for entry in each.entries for name in entry["values"]}) for each in subjects)
    rows = max(LEAST_ROWS, min(MOST_ROWS, POINTS // max(1, values)))
    tracks = [track_of(each.entries, rows) for each in subjects]
    side = next(side for most, side in SIDES if len(found) <= most)
    images = TrainingImages()
    views = [
        view_of(subject, track, images, SAMPLES // len(found), side, tell)
        for subject, track in zip(subjects, tracks, strict=True)
    ]
    groups = charts_of(tracks, names, [subject.spec for subject in subjects])
    several = len(found) > 1
    return html(
        title=" · ".join(names),
        runs=views,
        groups=groups,
        lines_per_point=max(track.lines for track in tracks),
        data=numbers(tracks, groups),
        compared=attempted(lambda: compare([_named(run, step) for run, step, _ in found]).grid()) if several else None,
        mark=lambda text: f"{text} ★",
        here=here(),
    )


def _named(run: Run, step: int | None) -> Path:
    return run.path if step is None else run.checkpoint(step)
