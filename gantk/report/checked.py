"""Whether the files of a run are whole, and fit it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gantk import json_text
from gantk.building.assembly import assemble
from gantk.building.stage_settings import check_optimizers
from gantk.errors import (
    CheckpointError,
    DamagedCheckpoint,
    ForeignCheckpoint,
    GantkError,
    RunError,
    UnusableCheckpoint,
    briefly,
)
from gantk.evaluation.scores import read_scores, scores_file
from gantk.files import check_file
from gantk.model import Model
from gantk.report.table import table
from gantk.run.checkpoints import OPTIMIZERS, TRAINING, WEIGHTS, check_weights, most_for, read_training
from gantk.run.chosen import read_chosen
from gantk.run.entries import log_lines
from gantk.run.folder import Run
from gantk.run.former import TRAINING_PT, former_training
from gantk.run.history import read_history
from gantk.run.manifest import MANIFEST, Manifest, read_manifest
from gantk.run.tensors import first_not_finite, tensors_of
from gantk.run.unchanged import check_same_parts

__all__ = ["Finding", "checked", "findings_text"]

MOST_PIXELS = 1 << 26
"""Pixels of a sample grid, at most."""


@dataclass(frozen=True)
class Finding:
    """What was found of one file.

    Args:
        file: its path within the run.
        damaged: whether it is damaged, or does not fit the run.
        about: what it holds, or what is wrong with it.
    """

    file: str
    damaged: bool
    about: str


def checked(run: Run) -> list[Finding]:
    """Read the files of a run and check them: against checksums where there are any, and weights against the model.

    TensorBoard's files and the report, which gantk does not read, are left out.

    Raises:
        RunError: it is not a run.
    """
    run.check_there()
    model, found = _model(run)
    findings = [found]
    for path, look in (
        (run.path / "history.toml", lambda: _many(len(read_history(run)), "change")),
        (run.precision_file, lambda: str(getattr(read_chosen(run), "computing", "gone"))),
        (scores_file(run.path), lambda: _many(len(read_scores(scores_file(run.path))), "score")),
        (run.best_file, lambda: f"step {(run.best() or {}).get('step', 'of a checkpoint that is gone')}"),
    ):
        if path.exists():
            findings.append(_looked(run, path, look))
    if run.log_file.exists():
        findings.append(_log(run))
    folders = [run.start] if run.start.exists() else []
    for checkpoint in [*folders, *run.checkpoints]:
        findings += _checkpoint(run, checkpoint, model)
    for path in sorted(run.checkpoints_folder.glob("damaged-*")):
        findings.append(
            Finding(
                _name(run, path),
                False,
                "was set aside when training resumed from an earlier checkpoint; it can be removed",
            )
        )
    findings += [_looked(run, path, functools.partial(_picture, path)) for path in run.samples]
    return findings


def _model(run: Run) -> tuple[Model | None, Finding]:
    try:
        spec = run.spec()
        model = assemble(spec, for_training=False)
        check_optimizers(model.built.stages)
        return model, Finding("model.toml", False, "the model can be built")
    except GantkError as error:
        return None, Finding("model.toml", True, briefly(error))


def _looked(run: Run, path: Path, look: Callable[[], str]) -> Finding:
    try:
        return Finding(_name(run, path), False, look())
    except (GantkError, OSError, ValueError, SyntaxError) as error:
        return Finding(_name(run, path), True, _reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, DamagedCheckpoint):
        return error.reason
    return f"{error.says}: {error.reason}" if isinstance(error, UnusableCheckpoint) else briefly(error)


def _name(run: Run, path: Path) -> str:
    return str(path.relative_to(run.path))


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _log(run: Run) -> Finding:
    try:
        entries, lost = log_lines(run.log_file)
    except RunError as error:
        return Finding("log.jsonl", True, briefly(error))
    return Finding("log.jsonl", bool(lost), f"{_many(len(entries), 'line')}" + f", {lost} cannot be read" * bool(lost))


def _checkpoint(run: Run, checkpoint: Path, model: Model | None) -> Iterator[Finding]:
    try:
        manifest = read_manifest(checkpoint)
    except CheckpointError as error:
        yield Finding(_name(run, checkpoint / MANIFEST), True, _reason(error))
        return
    if manifest.files is not None:
        yield _looked(run, checkpoint / MANIFEST, functools.partial(_sums, run, manifest))
    for name in manifest.files or FORMER:
        if (checkpoint / name).exists() or checkpoint != run.start:
            yield _looked(run, checkpoint / name, functools.partial(LOOKS[name], checkpoint, manifest, model))


def _sums(run: Run, manifest: Manifest) -> str:
    try:
        manifest.check_step()
    except DamagedCheckpoint as error:
        right = run.checkpoint(manifest.step or 0)
        mend = "" if right.exists() else f": rename the folder to {right.name}"
        raise DamagedCheckpoint(error.path, error.reason + mend) from error
    return f"checksums of {_many(len(manifest.files or ()), 'file')}"


def _weights(checkpoint: Path, manifest: Manifest, model: Model | None) -> str:
    found = manifest.read(WEIGHTS, tensors_of, most_for(model))
    if bad := first_not_finite(found):
        raise DamagedCheckpoint(checkpoint / WEIGHTS, f"{bad} contains NaN or infinity")
    if model is not None:
        check_weights(model, found, checkpoint)
    return f"{_many(len(found), 'tensor')}" + ", as the model has them" * (model is not None) + _unknown(manifest)


def _states(checkpoint: Path, manifest: Manifest, model: Model | None) -> str:
    return _many(len(manifest.read(OPTIMIZERS, tensors_of, most_for(model, states=True))), "tensor")


def _training(checkpoint: Path, manifest: Manifest, model: Model | None) -> str:
    """Of this file alone, if the other one is damaged."""
    manifest.read((manifest.files and TRAINING) or TRAINING_PT, json_text.loads if manifest.files else former_training)
    try:
        found = read_training(checkpoint, model)
    except DamagedCheckpoint as error:
        if error.path.name in (TRAINING, TRAINING_PT):
            raise
        return "as written"
    if model is not None:
        check_same_parts(model.built.spec, checkpoint / TRAINING, found.trained)
    return f"step {found.place.step} of stage {found.place.stage + 1}" + _unknown(manifest)


def _unknown(manifest: Manifest) -> str:
    return "" if manifest.files is not None else "; without a checksum, of an earlier version of gantk"


FORMER = (WEIGHTS, TRAINING_PT)
LOOKS: Mapping[str, Callable[[Path, Manifest, Model | None], str]] = {
    WEIGHTS: _weights,
    OPTIMIZERS: _states,
    TRAINING: _training,
    TRAINING_PT: _training,
}
"""File of a checkpoint → what says its content."""


def _picture(path: Path) -> str:
    check_file(path)
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width} × {image.height} pixels; expected at most {MOST_PIXELS}")
            image.load()
            return f"{image.width} × {image.height} pixels"
    except Exception as error:  # Pillow raises almost any exception on damaged files
        raise RunError(f"{type(error).__name__}: {briefly(error)}") from error


def findings_text(run: Run, findings: list[Finding]) -> str:
    """The table that `gantk doctor RUN` prints, and a last line that sums it up."""
    rows = [(each.file, "DAMAGED" if each.damaged else "ok", each.about) for each in findings]
    damaged = sum(each.damaged for each in findings)
    summary = f"{run} is whole"
    if damaged:
        summary = f"{_many(damaged, 'file')} of {run} {'is' if damaged == 1 else 'are'} damaged{_usable(run, findings)}"
    return f"{table(rows, ('FILE', 'STATE', 'CONTENT'))}\n{summary}"


def _usable(run: Run, findings: list[Finding]) -> str:
    """Which checkpoint can be used, if one of them cannot."""
    damaged = {str(Path(each.file).parent) for each in findings if each.damaged}
    steps = run.steps()
    holding = [step for step in steps if _name(run, run.checkpoint(step)) not in damaged]
    if len(holding) == len(steps):
        return ""
    if holding:
        return f"; the newest checkpoint that can be used is of step {holding[-1]}"
    foreign = any(each.about.startswith(ForeignCheckpoint.says) for each in findings)
    restore = "restore model.toml if it was changed, or " * foreign
    return f"; no checkpoint can be used: {restore}gantk train {run.typed} --fresh starts over"
