"""One run: what it was built from, and how far it is trained."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gantk.building.assembly import assemble
from gantk.permissions import as_said_by
from gantk.printable import one_line
from gantk.report.runs import summarized
from gantk.report.summary import summary
from gantk.run.chosen import read_chosen
from gantk.run.folder import Run

__all__ = ["run_json", "run_text"]


def run_text(run: Run) -> str:
    """What `gantk show RUN` prints: the table of `gantk build`, and the run's progress and scores.

    The parts are built without their data, weights and files: nothing is trained, loaded or written.

    Raises:
        RunError: it is not a run, or its `model.toml` is damaged.
        UsageError: a part is not installed, or does not accept its options.
    """
    with as_said_by(str(run)):
        parts = summary(assemble(run.spec(), for_training=False))
    found = summarized(run)
    lines = [f"trained: {found.step:,} of {found.steps:,} steps, {found.state}" if found.steps else found.state]
    if chosen := read_chosen(run):
        lines.append(one_line(f"precision: {chosen}"))
    if found.last:
        lines.append(f"last update: {found.last}")
    if found.scores:
        lines.append("scores: " + ", ".join(f"{name} {value:.4g}" for name, value in found.scores.items()))
    return "\n".join([parts, "", *lines])


def run_json(run: Run) -> dict[str, Any]:
    """The same: `model.toml` as `spec`, the entry of `gantk list-runs` as `summary`, `precision.json` as `precision`.

    Raises:
        RunError: it is not a run, or a file of it is damaged.
    """
    chosen = read_chosen(run)
    return {
        "summary": asdict(summarized(run)),
        "spec": run.spec(),
        **({"precision": asdict(chosen)} if chosen is not None else {}),
    }
