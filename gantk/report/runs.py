"""The runs in a folder: their parts, progress and scores."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gantk.errors import CheckpointError, GantkError, RunError
from gantk.evaluation.scores import newest_figures, read_scores, scores_file
from gantk.kinds import LISTS, SLOTS
from gantk.report.table import table
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.former import TRAINING_PT
from gantk.run.lock import busy
from gantk.run.manifest import read_manifest
from gantk.run.terms import terms_of
from gantk.schedule import Player, Stage

__all__ = ["Summary", "as_json", "runs_in", "runs_text", "summarized", "total_steps"]

DEEPEST = 3
"""Maximum depth of folders to search."""

TRACES = ("checkpoints", "log.jsonl", ".unfinished-model.toml")
"""Files by which a folder without a `model.toml` is recognized as a run."""


@dataclass
class Summary:
    """Summary of one run."""

    run: str
    recipe: str = ""
    parts: str = ""
    step: int = 0
    """Step of the newest checkpoint."""
    steps: int = 0
    """Number of steps of all stages, with the data that it was built on."""
    state: str = ""
    """`not trained`, `training now`, `stopped`, `finished` or `damaged: …`."""
    last: str = ""
    """Time of the last training."""
    scores: dict[str, float] = field(default_factory=dict)
    """The most recent measurements or, if there are none, the most recent losses."""


def runs_in(folder: Path) -> list[Summary]:
    """Summaries of all runs in a folder and its sub-folders, by name; damaged ones are listed with the reason.

    Raises:
        RunError: there is no such folder.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; gantk build creates runs in ./runs by default.")
    return [summarized(Run(path)) for path in _folders(folder, 0)]


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if any((folder / name).exists() for name in ("model.toml", *TRACES)):
        yield folder
        return
    if depth == DEEPEST:
        return
    try:
        inner = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=depth == 0))
    except OSError:
        return
    for each in inner:
        if not each.name.startswith("."):
            yield from _folders(each, depth + 1)


def summarized(run: Run) -> Summary:
    """The summary of a run; only reads files, without importing plugins."""
    found = Summary(str(run))
    try:
        if not run.model_toml.exists():
            raise RunError("it has no model.toml")
        spec = run.spec()
        found.recipe = str(spec.get("preset", "")) or _bare(spec["recipe"])
        found.parts = _parts(spec)
        found.steps = total_steps(spec)
        found.step = max(run.steps(), default=0)
        entries = read_log(run.log_file)
        found.scores = _scores(run, entries)
        found.last = _last(run, found.step, entries)
        found.state = _state(run, found, entries)
    except (GantkError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
        reason = str(error).removeprefix(f"{run.model_toml} is damaged: ")
        found.state = f"damaged: {reason if isinstance(error, GantkError) else f'{type(error).__name__}: {error}'}"
    return found


def _bare(part: Any) -> str:
    name = part["plugin"] if isinstance(part, Mapping) else str(part)
    return str(name).rpartition(":")[2]


def _parts(spec: Mapping[str, Any]) -> str:
    one = [f"{slot}={_bare(spec[slot])}" for slot in ("data", *SLOTS) if slot in spec]
    several = [f"{slot}={'+'.join(map(_bare, spec[slot]))}" for slot in LISTS if spec.get(slot)]
    return " ".join([*one, *several])


def total_steps(spec: Mapping[str, Any]) -> int:
    """Number of steps of all stages, according to the saved settings."""
    total = 0
    for name, settings in spec["stages"].items():
        turns = [value.get("repeats", 1) for value in settings.values() if isinstance(value, Mapping)]
        players = [Player(str(number), (), _NOTHING, repeats=repeats) for number, repeats in enumerate(turns)]
        stage = Stage(name, players, str(settings["length"]), settings["batch_size"])
        total += stage.steps(spec["shape"]["images"])
    return total


_NOTHING: Any = None
"""The objective of a player that never plays."""


def _state(run: Run, found: Summary, entries: list[dict[str, Any]]) -> str:
    if busy(run):
        return "training now"
    damaged = [step for step in run.steps() if not _whole(run.checkpoint(step))]
    if damaged:
        return f"damaged: checkpoint of step {damaged[-1]} is incomplete"
    if found.step == 0:
        return "stopped before its first checkpoint" if entries else "not trained"
    return "finished" if found.step >= found.steps else "stopped"


def _whole(checkpoint: Path) -> bool:
    """Whether its files are there and as long as they were written; their content is not read."""
    try:
        manifest = read_manifest(checkpoint)
        manifest.check_lengths()
    except CheckpointError:
        return False
    if manifest.files is not None:
        return True
    files = [checkpoint / name for name in ("model.safetensors", TRAINING_PT)]
    return all(file.is_file() and file.stat().st_size > 0 for file in files)


def _last(run: Run, step: int, entries: list[dict[str, Any]]) -> str:
    times = [entry["time"] for entry in entries[-1:] if isinstance(entry.get("time"), (int, float))]
    if not times and step:
        times = [run.checkpoint(step).stat().st_mtime]
    try:
        return datetime.fromtimestamp(times[0]).strftime("%Y-%m-%d %H:%M") if times else ""
    except (OverflowError, ValueError, OSError):  # no time that a clock has
        return ""


def _scores(run: Run, entries: list[dict[str, Any]]) -> dict[str, float]:
    try:
        scores = newest_figures(read_scores(scores_file(run.path)))
    except RunError:
        scores = {}
    for wanted in (_measured, _losses):
        newest = (found for entry in reversed(entries) if (found := wanted(entry.get("values", {}))))
        scores = scores or next(newest, {})
    return scores


def _measured(values: Mapping[str, float]) -> dict[str, float]:
    return {n.removeprefix("measure/"): value for n, value in values.items() if n.startswith("measure/")}


def _losses(values: Mapping[str, float]) -> dict[str, float]:
    return {name: term.value for name, term in terms_of(values).items()}


def runs_text(found: list[Summary]) -> str:
    """The table that `gantk list-runs` prints."""
    rows = []
    for each in found:
        far = each.state
        if each.steps and not each.state.startswith("damaged"):
            far = f"{each.step:,} of {each.steps:,} steps, {each.state}"
        scores = ", ".join(f"{name} {value:.4g}" for name, value in each.scores.items())
        rows.append((each.run, each.recipe, far, each.last, scores, each.parts))
    return table(rows, ("RUN", "RECIPE", "TRAINED", "LAST", "SCORES", "PARTS"))


def as_json(found: list[Summary]) -> str:
    """The summaries as JSON."""
    return json.dumps([asdict(each) for each in found], indent=2)
