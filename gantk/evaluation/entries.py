"""What is compared: runs and images with their scores, grouped into rows of runs that differ only in the seed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gantk.errors import RunError, UsageError
from gantk.evaluation.scores import FILE, Score, read_scores, scores_file
from gantk.files import place
from gantk.run.folder import Run
from gantk.run.history import leaves, read_history
from gantk.run.located import located
from gantk.run.places import runs_under

__all__ = ["Entry", "Row", "differing_settings", "found_entries", "rows_of"]

INCIDENTAL = ("seed", "title", "paper", "versions")
"""Entries of `model.toml` in which the runs of one row may differ: the seed, and those that do not affect training."""

SEED = re.compile(r"[-_,./ ]*(seed)?[-_=]?\d+$", re.IGNORECASE)
"""The end of a run's name that tells its seed."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A run, or images of any origin."""

    name: str
    """The name that the user gave."""
    spec: Mapping[str, Any] | None
    """The content of its `model.toml`; `None` for images."""
    changes: tuple[Mapping[str, Any], ...]
    """Changes of settings during training, oldest first."""
    scores: tuple[Score, ...]
    """The scores of all measured checkpoints."""
    asked: int | None = None
    """The step that the user asked for."""

    @property
    def steps(self) -> list[int]:
        """The steps that have scores, in order."""
        return sorted({step for score in self.scores if (step := score.protocol.generated.step) is not None})

    def at(self, step: int | None) -> tuple[Score, ...]:
        """The scores at a step, without those of an earlier training of the same run."""
        found = [score for score in self.scores if score.protocol.generated.step == step]
        if not found:
            return ()
        last = max(found, key=lambda score: score.when).protocol.generated
        same = [s for s in found if _identity(s) == (last.weights, last.content)]
        return tuple(same)

    @property
    def newest(self) -> int | None:
        """The step that was asked for, or else the newest with scores."""
        if self.asked is not None:
            return self.asked
        return self.steps[-1] if self.steps else None

    @property
    def seed(self) -> int | None:
        """The random seed of the training."""
        return None if self.spec is None else self.spec.get("seed")

    @property
    def kind(self) -> str:
        """A key that is equal for runs that differ only in the seed."""
        if self.spec is None:
            return f"images {self.name}"
        kept = {key: value for key, value in self.spec.items() if key not in INCIDENTAL}
        return json.dumps([kept, self.changes], sort_keys=True, default=str)


def _identity(score: Score) -> tuple[str, str]:
    made = score.protocol.generated
    return made.weights, made.content


@dataclass(frozen=True)
class Row:
    """Runs that differ only in the seed."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def seeds(self) -> list[int]:
        """The training seeds."""
        return [entry.seed for entry in self.entries if entry.seed is not None]


def found_entries(runs: Iterable[str | os.PathLike[str] | Run]) -> list[Entry]:
    """Read runs with their scores and histories.

    Args:
        runs: runs, checkpoints, folders of runs, evaluated images, or their `….metrics.json`.

    Raises:
        UsageError: none is named, or one is named twice.
        RunError: there is no such run, or its files are damaged.
    """
    entries: list[Entry] = []
    for each in runs:
        named = each.path if isinstance(each, Run) else place(each)
        entries += [_entry(path) for path in _inside(named) or [named]]
    if not entries:
        raise UsageError("name the runs that are to be compared, as gantk compare runs/a runs/b.")
    seen: set[tuple[str, int | None]] = set()
    for entry in entries:
        key = (os.path.realpath(entry.name), entry.asked)
        if key in seen:
            raise UsageError(f"{entry.name} is named twice; name it once.")
        seen.add(key)
    return entries


def _inside(folder: Path) -> list[Path]:
    """The runs in a folder, and the images in it that were evaluated; none if it is a run or such images itself."""
    if (folder / "model.toml").is_file() or scores_file(folder).is_file():
        return []
    return [*runs_under(folder), *sorted(folder.glob(f"*.{FILE}"))]


def _entry(path: Path) -> Entry:
    run, step = located(path)
    if run.model_toml.is_file():
        changes = tuple(_timeless(asdict(change)) for change in read_history(run))
        return Entry(str(run), run.spec(), changes, tuple(read_scores(scores_file(run.path))), step)
    file = path if path.name.endswith(FILE) else scores_file(path)
    if not file.is_file():
        if not path.exists():
            run.check_there()  # this error suggests similar names
        raise RunError(
            f"{path} is not a run and has no scores ({file.name}); create them with: gantk evaluate {path} --data REAL."
        )
    return Entry(str(path), None, (), tuple(read_scores(file)))


def _timeless(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in change.items() if name != "time"}


def rows_of(entries: Sequence[Entry], steps: Sequence[int | None]) -> list[Row]:
    """Group entries into rows: runs that differ only in the seed, at the same step.

    Args:
        entries: the entries to compare.
        steps: the step of each entry; `None` if checkpoints are chosen by a figure.
    """
    groups: list[tuple[tuple[str, int | None], list[Entry]]] = []
    for entry, step in zip(entries, steps, strict=True):
        key = (entry.kind, step)
        fits = (known for made, known in groups if made == key and entry.seed not in [each.seed for each in known])
        group = next(fits, None)
        if group is None:  # a second run with the same seed is not another sample
            groups.append((key, [entry]))
        else:
            group.append(entry)
    for _, group in groups:
        group.sort(key=lambda each: each.seed or 0)
    names = _names([group for _, group in groups])
    return [Row(name, tuple(group)) for name, (_, group) in zip(names, groups, strict=True)]


def _names(groups: Sequence[Sequence[Entry]]) -> list[str]:
    """A short name for each group: that of its runs without seeds and without their common folder."""
    found = [_common([entry.name for entry in group]) for group in groups]
    if len(set(found)) < len(found):
        found = [_with_step(group[0]) for group in groups]
    folders = {os.path.dirname(name) for name in found}
    return [os.path.basename(name) for name in found] if len(folders) == 1 else found


def _with_step(entry: Entry) -> str:
    return entry.name if entry.asked is None else f"{entry.name} step {entry.asked}"


def _common(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    bare = {SEED.sub("", name) for name in names}
    return bare.pop() if len(bare) == 1 and "" not in bare else f"{names[0]} …"


def differing_settings(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Settings in which rows differ, by path, with the value of each row, or `None`."""
    specs = [row.entries[0].spec for row in rows]
    tables = [leaves({k: v for k, v in spec.items() if k not in INCIDENTAL}) for spec in specs if spec is not None]
    if len(tables) < len(rows):
        return {}
    paths = dict.fromkeys(path for each in tables for path in each)
    found = {path: [each.get(path) for each in tables] for path in paths}
    return {path: values for path, values in found.items() if any(value != values[0] for value in values)}
