"""Where runs are: free names for new ones, those in a folder, and what is meant by a path that is none."""

from __future__ import annotations

import difflib
import itertools
import shlex
from pathlib import Path

from gantk.files import UNFINISHED

__all__ = ["advice", "free_place", "is_empty", "near_run", "runs_under"]

RUNS = Path("runs")
"""The default folder of runs."""


def free_place(name: str) -> Path:
    """`runs/NAME`, or the first of `runs/NAME-2`, `runs/NAME-3`, … that does not exist."""
    names = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
    return next(path for path in map(RUNS.joinpath, names) if not path.exists())


def runs_under(folder: Path) -> list[Path]:
    """The run folders directly in a folder, by name."""
    try:
        return sorted(entry for entry in folder.iterdir() if (entry / "model.toml").is_file())
    except OSError:
        return []


def near_run(path: Path) -> str:
    """`did you mean runs/x?` if there is a run of a similar name; empty otherwise."""
    near = dict.fromkeys((path.parent, path.parent / "runs", Path("runs"), Path(".")))
    found = {each.name: each for folder in near for each in reversed(runs_under(folder)) if each != path}
    close = difflib.get_close_matches(path.absolute().name, found, n=1, cutoff=0.6)
    return f"did you mean {shlex.quote(str(found[close[0]]))}?" if close else ""


def advice(path: Path) -> str:
    """What to do if there is no run in this place: a similar name, or how to create one."""
    if near := near_run(path):
        return near
    inside = runs_under(path)
    if inside:
        return f"the runs in it are {', '.join(shlex.quote(str(each)) for each in inside[:5])}."
    around = next((folder for folder in path.absolute().parents if (folder / "model.toml").is_file()), None)
    if around is not None:
        return f"it lies in the run {shlex.quote(str(around))}."
    if path.exists() and not is_empty(path):
        return "create one with gantk build; gantk list-runs FOLDER shows those in a folder."
    return f"create one with gantk build -o {shlex.quote(str(path))}."


def is_empty(path: Path) -> bool:
    """Whether a folder contains only incomplete files of a killed build."""
    return path.is_dir() and all(entry.name.startswith(UNFINISHED) for entry in path.iterdir())
