"""A sweep on disk: a folder of ordinary runs, and `sweep.toml`, which says what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from gantk import toml
from gantk.building.assembly import build
from gantk.errors import RunError, UsageError
from gantk.files import replace_file, text_of
from gantk.report.runs import Summary, summarized
from gantk.run.folder import Run
from gantk.sweeps.grid import Cell, Grid

__all__ = ["FILE", "begin", "states"]

FILE = "sweep.toml"


def begin(folder: Path, grid: Grid, without: Sequence[str], say: Callable[[str], object]) -> list[Run]:
    """The runs of a sweep; those that are not there yet are built, all of them or none.

    Raises:
        UsageError: the folder holds another sweep or something else, or a combination does not fit together.
    """
    cells = grid.cells()
    runs = [Run(folder / cell.name) for cell in cells]
    _check(folder, {**grid.fixed(), "without": list(without)})
    missing = [(cell, run) for cell, run in zip(cells, runs, strict=True) if not run.model_toml.is_file()]
    specs = []
    for number, (cell, run) in enumerate(missing, 1):
        run.check_free()
        say(f"building {number} of {len(missing)}: {cell.name}")
        specs.append(_spec(cell, without))
    _write(folder, {**grid.fixed(), "without": list(without)})
    for spec, (_, run) in zip(specs, missing, strict=True):
        run.create(spec)
    return runs


def _spec(cell: Cell, without: Sequence[str]) -> dict[str, Any]:
    parts: dict[str, Any] = dict(cell.parts)
    try:
        model = build(cell.recipe, **parts, settings=cell.settings, without=without, seed=cell.seed)
    except UsageError as error:
        raise type(error)(f"{cell.name}: {error}") from error
    return model.built.spec


def _check(folder: Path, record: dict[str, Any]) -> None:
    """Refuse a folder of another sweep, or of something else."""
    known = _read(folder / FILE)
    if known is None:
        Run(folder).check_free()
        return
    for what in ("fixed", "varied", "without"):
        before, now = known.get(what), record[what]
        if before != now:
            said = "; ".join(f"{name} {', '.join(map(str, each)) or 'nothing'}" for name, each in _apart(before, now))
            raise UsageError(f"{folder} holds a sweep of other builds ({what}: {said}): choose another -o.")


def _apart(before: Any, now: list[str]) -> list[tuple[str, list[str]]]:
    known = list(before or [])
    return [("before", [e for e in known if e not in now] or known), ("now", [e for e in now if e not in known] or now)]


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return toml.loads(text_of(file.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(
            f"{file} is damaged ({error}): remove it together with the runs, or choose another -o."
        ) from error
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror or error}.") from error


def _write(folder: Path, record: dict[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / FILE, tomli_w.dumps(record).encode())
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}.") from error


def states(runs: Sequence[Run]) -> list[tuple[Run, Summary]]:
    """How far each run is, read off its folder."""
    return [(run, summarized(run)) for run in runs]
