"""`gantk tune`: search for the settings with the best metric."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gantk.cli.build import parts_of_a_model
from gantk.cli.shared import PLACE, SEED, say

__all__ = ["command"]

PICTURE = "tune.png"


@click.command("tune")
@click.argument("recipe", required=False)
@parts_of_a_model
@click.option(
    "--set",
    "settings",
    metavar="PATH=A..B",
    multiple=True,
    help="Setting of model.toml: a range A..B, alternatives A|B, or a value.",
)
@click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Total number of trials.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Random seed of the search and of each run.")
@click.option("-o", "--output", type=PLACE, metavar="FOLDER", required=True, help="The folder of the runs.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Trials to train at once.")
@click.option("--dry-run", is_flag=True, help="Print the search space; write nothing.")
def command(
    recipe: str | None,
    without: tuple[str, ...],
    settings: tuple[str, ...],
    trials: int,
    seed: int,
    output: Path,
    jobs: int,
    dry_run: bool,
    **parts: Any,
) -> None:
    """Search for the settings with the best metric.

    The options are those of gantk build; a value can be a range A..B or alternatives A|B, in quotes because of the
    shell. The first --metric, such as prdc/coverage, is the objective; it is measured in training, and trials that are
    worse than the median are stopped early. Every trial is an ordinary run in FOLDER, named after its values. Ctrl-C
    saves and stops; the same command resumes, and more --trials continue. With --jobs, trials are trained at once, each
    in its own process.

    \b
    gantk tune dcgan --set "stages.game.*.lr=1e-5..1e-3" --set "train.ema=0.9|0.99" --metric frechet -o runs/tuned
    gantk tune --data digits --generator "dcgan:width=32..128" --metric prdc/coverage --trials 50 -o runs/width
    """
    from gantk.report.pictures import save_figure
    from gantk.report.table import table
    from gantk.report.tuning import found_figure
    from gantk.sweeps.grid import Grid
    from gantk.sweeps.objective import objective_of
    from gantk.sweeps.processes import Work
    from gantk.sweeps.search import search
    from gantk.sweeps.space import Range, Space

    objective, metrics = objective_of(parts.pop("metric"))
    chosen = {slot: part for slot, part in parts.items() if part not in (None, ())}
    space = Space(Grid(recipe, {**chosen, "metric": metrics}, settings, [seed]))
    if dry_run:
        rows = [
            (name, str(each) if isinstance(each, Range) else " | ".join(each)) for name, each in space.ranges.items()
        ]
        click.echo(table(rows, ("PARAMETER", "VALUES")))
        click.echo(f"\nobjective: {objective.figure}, {objective.better} is better; {trials} trials")
        return
    again = [sys.executable, "-m", "gantk", *sys.argv[1:], "--jobs", "1"]  # of an option, the last value counts
    workers = [Work(f"process {number}", again) for number in range(1, jobs + 1)] if jobs > 1 else []
    found = search(output, space, objective, trials, without, say, workers)
    click.echo(str(found))
    if found.scored:
        picture = output / PICTURE
        save_figure(found_figure(found), picture)
        click.echo(f"written to {picture}")
