"""One run as the template of the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gantk.duration import duration
from gantk.evaluation.scores import newest_figures
from gantk.files import read_whole, text_of
from gantk.model import Model
from gantk.pages.attempts import Shown, attempted
from gantk.pages.drawn import Cloud, Neighbors, Strip, TrainingImages, clouds, fresh_grid, interpolation, neighbors
from gantk.pages.images import Frame, sample_frames
from gantk.pages.machine import Table, machines_of
from gantk.pages.parts import Built, built_of
from gantk.pages.rebuild import rebuilding
from gantk.pages.score_tables import Scores, scores_of
from gantk.pages.subject import Subject
from gantk.pages.tracks import Track
from gantk.run.history import leaves

__all__ = ["View", "view_of"]

T = TypeVar("T")

Tell = Callable[[str, float], object]

HEADLINES = 5
"""Number of scores that stand beside the samples."""

LONGEST = 40_000
"""Characters of a `model.toml` that are shown at most."""


@dataclass(frozen=True)
class View:
    """What the page shows of one run."""

    name: str
    typed: str
    """Its folder as it is typed in a shell."""
    title: str
    paper: str
    state: str
    step: int | None
    """The step of the weights that draw."""
    facts: Sequence[tuple[str, str]]
    frames: Shown[list[Frame]]
    neighbors: Shown[Neighbors]
    strips: Shown[list[Strip]]
    clouds: Shown[list[Cloud]]
    scores: Shown[Scores]
    built: Shown[Built]
    rebuild: Shown[list[str]]
    settings: Shown[str]
    """The text of `model.toml`."""
    changes: Sequence[tuple[int, str, str, str]]
    """(step, setting, former value, new value) of what was changed in training."""
    machines: Shown[dict[str, Table]]
    """Tables by their titles."""
    notes: Sequence[str]


def view_of(subject: Subject, track: Track, images: TrainingImages, most: int, side: int, tell: Tell) -> View:
    """Draw and gather everything that the page shows of a run.

    Args:
        subject: the run.
        track: its curves.
        images: where its training images come from.
        most: characters that its sample grids take, at most.
        side: longest side of a single image.
        tell: receives what is being done, and the fraction done.
    """
    model, spec = subject.model, subject.spec
    built = attempted(lambda: built_of(spec, subject.built.value))

    def told(what: str, done: float) -> None:
        tell(f"{subject.name}: {what}", done)

    told("samples", 0.0)
    frames = attempted(lambda: sample_frames(subject.run, most), "Training has drawn no samples yet.")
    if not frames.value and model is not None:
        drawn = attempted(lambda: [Frame(subject.step or 0, fresh_grid(model))])
        frames = drawn if drawn.value else frames
    return View(
        name=subject.name,
        typed=subject.run.typed,
        title=str(spec.get("title", "")),
        paper=str(spec.get("paper", "")),
        state=subject.summary.state,
        step=subject.step,
        facts=_facts(subject, track, built.value),
        frames=frames,
        neighbors=_drawn(subject, lambda model: neighbors(model, images, side, told)),
        strips=_drawn(subject, lambda model: interpolation(model, side)),
        clouds=_drawn(subject, lambda model: clouds(model, subject.name)),
        scores=_scores(subject),
        built=built,
        rebuild=_rebuild(subject),
        settings=attempted(lambda: _settings(subject)),
        changes=_changes(subject),
        machines=attempted(lambda: machines_of(subject.run, spec, subject.step)),
        notes=_notes(subject, track),
    )


def _drawn(subject: Subject, draw: Callable[[Model], T]) -> Shown[T]:
    """What a run's model draws, or why there is none."""
    model = subject.model
    return Shown(None, subject.why_not) if model is None else attempted(lambda: draw(model))


def _rebuild(subject: Subject) -> Shown[list[str]]:
    model = subject.built.value
    return Shown(None, subject.built.why) if model is None else attempted(lambda: rebuilding(subject.run, model))


def _scores(subject: Subject) -> Shown[Scores]:
    found = subject.scores
    if found.value is None:
        return Shown(None, found.why)
    missing = f"It has not been evaluated: gantk evaluate {subject.run.typed}"
    return attempted(lambda: scores_of(scores)) if (scores := found.value) else Shown(None, missing)


def _facts(subject: Subject, track: Track, built: Built | None) -> list[tuple[str, str]]:
    summary, spec = subject.summary, subject.spec
    facts = [("recipe", summary.recipe), ("parts", summary.parts)]
    if images := attempted(lambda: _images(spec["shape"])).value:
        facts.append(("data", images))
    if summary.steps:
        facts.append(("trained", f"{summary.step:,} of {summary.steps:,} steps, {summary.state}"))
    if track.images:
        facts.append(("images read", f"{track.images[-1]:,.0f}"))
    if track.hours:
        facts.append(("time", duration(track.hours[-1] * 3600)))
    if built is not None and built.parameters:
        facts.append(("parameters", f"{built.parameters:,}"))
    if subject.scores.value:
        facts += [
            (name, f"{value:.4g}") for name, value in list(newest_figures(subject.scores.value).items())[:HEADLINES]
        ]
    facts.append(("seed", str(spec.get("seed", 0))))
    facts += [("last trained", summary.last)] if summary.last else []
    return [(name, value) for name, value in facts if value]


def _images(shape: Mapping[str, Any]) -> str:
    return f"{shape['images']:,} images of {'×'.join(map(str, shape['image_shape']))}"


def _settings(subject: Subject) -> str:
    text = text_of(read_whole(subject.run.model_toml))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n… and {len(text) - LONGEST:,} more characters"


def _changes(subject: Subject) -> list[tuple[int, str, str, str]]:
    rows = []
    for change in subject.changes.value or []:
        was, now = leaves(change.was), leaves(change.now)
        rows += [
            (change.step, path, str(was.get(path, "–")), str(now.get(path, "–")))
            for path in dict.fromkeys([*was, *now])
        ]
    return rows


def _notes(subject: Subject, track: Track) -> list[str]:
    notes = []
    if subject.summary.state == "training now":
        notes.append("This run is being trained: the page shows it as it was when the page was written.")
    if subject.summary.state.startswith("damaged"):
        notes.append(f"This run is {subject.summary.state}.")
    if subject.built.why:
        notes.append(f"Its parts cannot be built here: {subject.built.why}")
    notes += [f"{remark}." for remark in subject.remarks]
    if subject.lost:
        notes.append(f"{subject.lost:,} lines of log.jsonl cannot be read, and are left out.")
    if track.left_out:
        notes.append(f"{track.left_out:,} further values of log.jsonl are left out.")
    if subject.changes.why:
        notes.append(subject.changes.why)
    return notes
