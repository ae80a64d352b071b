"""A sweep on disk: a folder of ordinary runs, and `sweep.toml` with their common arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from gantk import toml
from gantk.building.build import build
from gantk.building.settings import path_of
from gantk.errors import RunError, UsageError
from gantk.files import check_no_link, read_whole, replace_file, text_of
from gantk.report.runs import Summary, summarized
from gantk.run.folder import Run
from gantk.sweeps.grid import Cell, Grid

__all__ = ["FILE", "begin", "build_missing", "check_record", "planned", "run_in", "spec_of", "states", "write_record"]

FILE = "sweep.toml"

PRECISION = "train.precision"


def begin(folder: Path, grid: Grid, without: Sequence[str], say: Callable[[str], object]) -> list[Run]:
    """The runs of a sweep. Missing runs are built, all of them or none.

    Raises:
        UsageError: the folder contains another sweep or something else, or a combination is refused.
    """
    check_record(folder / FILE, "sweep", _record(grid, without))
    return build_missing(
        folder, grid.cells(), without, lambda: write_record(folder / FILE, _record(grid, without)), say
    )


def build_missing(
    folder: Path,
    cells: Sequence[Cell],
    without: Sequence[str],
    record: Callable[[], object],
    say: Callable[[str], object],
) -> list[Run]:
    """The runs of builds. Missing runs are created after all of them could be built.

    Args:
        folder: the folder of the runs.
        cells: the builds.
        without: parts of the recipe to leave out.
        record: writes what the runs have in common, before the first one is created.
        say: receives progress messages.

    Raises:
        UsageError: a build is refused.
        RunError: the folder cannot be written.
    """
    runs = [run_in(folder, cell) for cell in cells]
    missing = [(cell, run) for cell, run in zip(cells, runs, strict=True) if not run.model_toml.is_file()]
    specs = []
    for number, (cell, run) in enumerate(missing, 1):
        run.check_free()
        say(f"building {number} of {len(missing)}: {cell.name}")
        specs.append(_named_spec(cell, without))
    record()
    for spec, (_, run) in zip(specs, missing, strict=True):
        run.create(spec)
    return runs


def planned(folder: Path, grid: Grid, without: Sequence[str]) -> list[Run]:
    """The runs of a sweep, whether they exist or not.

    Raises:
        UsageError: the folder contains another sweep or something else.
    """
    check_record(folder / FILE, "sweep", _record(grid, without))
    return [run_in(folder, cell) for cell in grid.cells()]


def run_in(folder: Path, cell: Cell) -> Run:
    """The run of a cell.

    Raises:
        RunError: a link is in its place.
    """
    try:
        check_no_link(folder / cell.name)
    except OSError as error:
        raise RunError(f"{folder / cell.name}: {error.strerror}.") from error
    return Run(folder / cell.name)


def _record(grid: Grid, without: Sequence[str]) -> dict[str, list[str]]:
    return {**grid.fixed(), "without": list(without)}


def _named_spec(cell: Cell, without: Sequence[str]) -> dict[str, Any]:
    try:
        return spec_of(cell, without)
    except UsageError as error:
        raise type(error)(f"{cell.name}: {error}") from error


def spec_of(cell: Cell, without: Sequence[str]) -> dict[str, Any]:
    """The contents of a build's `model.toml`.

    Raises:
        UsageError, DataError: the build is refused, or its data cannot be read.
    """
    parts: dict[str, Any] = dict(cell.parts)
    model = build(cell.recipe, **parts, settings=cell.settings, without=without, seed=cell.seed)
    train = model.built.spec["train"]
    if cell.compared and train["precision"] == "auto" and PRECISION not in map(path_of, cell.settings):
        train["precision"] = "32-true"
    return model.built.spec


def check_record(file: Path, what: str, record: Mapping[str, Sequence[str]]) -> None:
    """Check that a folder is empty or belongs to this sweep or search.

    Args:
        file: the file in the folder with the common arguments of its runs.
        what: `sweep` or `search`, for the message.
        record: the expected contents of the file.

    Raises:
        UsageError: the file has other contents, or the folder contains something else.
        RunError: the file cannot be read.
    """
    known = _read(file)
    if known is None:
        Run(file.parent).check_free()
        return
    for key, now in record.items():
        before = known.get(key)
        if before != list(now):
            said = "; ".join(f"{name} {', '.join(map(str, each)) or 'nothing'}" for name, each in _apart(before, now))
            raise UsageError(
                f"{file.parent} contains a {what} with other arguments ({key}: {said}): choose another -o."
            )


def _apart(before: Any, now: Sequence[str]) -> list[tuple[str, list[str]]]:
    known = list(before or [])
    return [
        ("before", [e for e in known if e not in now] or known),
        ("now", [e for e in now if e not in known] or list(now)),
    ]


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return toml.loads(text_of(read_whole(file)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(
            f"{file} is damaged ({error}): remove it together with the runs, or choose another -o."
        ) from error
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror or error}.") from error


def write_record(file: Path, record: Mapping[str, Sequence[str]]) -> None:
    """Write the common arguments of the runs in a folder.

    Raises:
        RunError: the folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, tomli_w.dumps(record).encode())
    except OSError as error:
        raise RunError(f"{file.parent} cannot be written: {error.strerror or error}.") from error


def states(runs: Sequence[Run]) -> list[tuple[Run, Summary]]:
    """The progress of each run, as recorded in its folder."""
    return [(run, summarized(run)) for run in runs]
