"""One run as its page sees it: everything that its files say, read once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gantk.building.assembly import assemble
from gantk.errors import CheckpointError, GantkWarning
from gantk.evaluation.scores import Score, read_scores, scores_file
from gantk.files import place
from gantk.model import Model
from gantk.pages.attempts import Shown, attempted
from gantk.permissions import as_said_by
from gantk.report.runs import Summary, summarized
from gantk.run.checkpoints import load_weights
from gantk.run.entries import log_lines
from gantk.run.folder import Run
from gantk.run.history import Change, read_history
from gantk.run.located import located
from gantk.run.places import runs_under
from gantk.run.usable import weights_at

__all__ = ["Subject", "named_runs", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """One run."""

    run: Run
    name: str
    """A short name, unique among the runs of a page."""
    spec: Mapping[str, Any]
    summary: Summary
    entries: Sequence[Mapping[str, Any]]
    """The lines of its log."""
    lost: int
    """Number of lines of the log that cannot be read."""
    changes: Shown[list[Change]]
    scores: Shown[list[Score]]
    built: Shown[Model]
    """Its parts, with initial weights if it was not trained."""
    step: int | None
    """The step of the weights in them; `None` for initial weights."""
    untrained: str
    """Why they have initial weights; empty if they are trained."""
    remarks: Sequence[str]
    """What was said of checkpoints that cannot be used."""

    @property
    def model(self) -> Model | None:
        """The model with trained weights, if there is one."""
        return self.built.value if self.step is not None else None

    @property
    def why_not(self) -> str:
        """Why there is no model to draw with."""
        return self.built.why or self.untrained


def named_runs(runs: Sequence[str | os.PathLike[str] | Run]) -> list[tuple[Run, int | None, str]]:
    """(run, step or `None`, short name) of each run that a user named; a folder of runs stands for those in it.

    Raises:
        RunError: there is no such run.
        UsageError: a path is none.
    """
    found: list[tuple[Run, int | None]] = []
    for each in runs:
        if isinstance(each, Run):
            found.append((each, None))
            continue
        path = place(each)
        inside = [] if (path / "model.toml").is_file() else runs_under(path)
        found += [(Run(folder), None) for folder in inside] or [located(path)]
    for run, _ in found:
        run.check_there()
    return [(run, step, name) for (run, step), name in zip(found, _short_names(found), strict=True)]


def _short_names(found: Sequence[tuple[Run, int | None]]) -> list[str]:
    """The names of the folders; the whole paths, or those with their steps, where these are not unique."""
    for named in (_folder, lambda run, step: str(run), lambda run, step: f"{run} step {step}"):
        names = [named(run, step) for run, step in found]
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({number})" for number, name in enumerate(names, 1)]


def _folder(run: Run, step: int | None) -> str:
    return run.path.absolute().name or str(run)


def subject_of(run: Run, step: int | None, name: str) -> Subject:
    """Read a run.

    Args:
        run: the run.
        step: the step of the checkpoint that draws; the newest by default.
        name: its name on the page.

    Raises:
        RunError: its `model.toml` or its log cannot be read.
        UsageError: there is no checkpoint of that step.
    """
    spec = run.spec()
    if step is not None:
        run.at(step)
    entries, lost = log_lines(run.log_file)
    built = attempted(lambda: _assembled(run, spec))
    model = built.value
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", GantkWarning)
        weighed = Shown[int](None) if model is None else attempted(lambda: _weighed(run, step, model))
    return Subject(
        run=run,
        name=name,
        spec=spec,
        summary=summarized(run),
        entries=entries,
        lost=lost,
        changes=attempted(lambda: read_history(run)),
        scores=attempted(lambda: read_scores(scores_file(run.path))),
        built=built,
        step=weighed.value,
        untrained=weighed.why,
        remarks=[str(each.message) for each in said if issubclass(each.category, GantkWarning)],
    )


def _assembled(run: Run, spec: Mapping[str, Any]) -> Model:
    with as_said_by(str(run)):
        model = assemble(dict(spec), for_training=False)
    model.built.said_by = str(run)
    return model


def _weighed(run: Run, step: int | None, model: Model) -> int:
    """Load the weights of a checkpoint; the step that they are of."""
    try:
        checkpoint, weights = weights_at(run, step, model)
    except CheckpointError:
        checkpoint, weights = weights_at(run, step, model)  # training has deleted it meanwhile, and written a newer one
    load_weights(model, weights, checkpoint)
    return int(checkpoint.name.rpartition("-")[2])
