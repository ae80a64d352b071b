"""`gantk sweep`: a grid of builds, trained, evaluated and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gantk.cli.build import parts_of_a_model
from gantk.cli.shared import PLACE, counted, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gantk.run.folder import Run

__all__ = ["command"]


@click.command("sweep")
@click.argument("recipe", required=False)
@parts_of_a_model
@click.option(
    "--set",
    "settings",
    metavar="PATH=A|B",
    multiple=True,
    help="Setting of model.toml, with alternatives; repeat for several.",
)
@click.option(
    "--seeds", default="0:1", show_default=True, metavar="A:B", help="Random seeds: 0:3, or a list such as 0,4,7."
)
@click.option("-o", "--output", type=PLACE, metavar="FOLDER", required=True, help="The folder of the runs.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs to train at once.")
@click.option(
    "--metrics", metavar="PART", multiple=True, help="Metric to evaluate trained runs with; repeat for several."
)
@click.option("--extractor", metavar="PART", help="Extractor of the features, as for gantk evaluate.")
@click.option(
    "-n", "count", type=click.IntRange(min=1), help="Number of generated images to evaluate; 10000 by default."
)
@click.option("--dry-run", is_flag=True, help="Print the runs and their progress; write nothing.")
@click.option(
    "--submit",
    metavar="CLUSTER",
    help="Train on a cluster, such as slurm:partition=gpu,timeout_min=240, with submitit's parameters.",
)
@click.option("--no-train", is_flag=True, help="Only create the runs; train them with gantk train.")
def command(
    recipe: str | None,
    without: tuple[str, ...],
    settings: tuple[str, ...],
    seeds: str,
    output: Path,
    jobs: int,
    metrics: tuple[str, ...],
    extractor: str | None,
    count: int | None,
    dry_run: bool,
    submit: str | None,
    no_train: bool,
    **parts: Any,
) -> None:
    """Build every combination of values, train the runs, and compare them.

    The options are those of gantk build; alternatives are separated by |, in quotes because of the shell. Every
    combination is an ordinary run in FOLDER, named after the values that vary. Ctrl-C saves and stops; the same command
    resumes, and adds new runs. With --metrics, trained runs are evaluated and compared. With --submit, runs are trained
    as jobs on a cluster, and the same command prints their progress.

    \b
    gantk sweep dcgan --set "stages.game.*.lr=1e-4|2e-4" --seeds 0:3 -o runs/lr --metrics frechet
    gantk sweep "dcgan|wgan-gp" --data digits --seeds 0:3 -o runs/losses --jobs 2
    """
    from gantk.building.resolved import resolved
    from gantk.building.spec import part_table
    from gantk.errors import UsageError, WorkError
    from gantk.sweeps.folder import begin, planned, states
    from gantk.sweeps.grid import Grid, seeds_of
    from gantk.sweeps.submit import Cluster
    from gantk.sweeps.work import Allowed, train_all

    if submit is not None and (no_train or jobs > 1):
        raise UsageError("--submit cannot be combined with --no-train or --jobs, since the cluster trains the runs.")
    for kind, names in (("metric", metrics), ("extractor", filter(None, [extractor]))):
        for each in names:  # a typing error is told before hours of training, not after
            resolved(kind, part_table(kind, each))
    chosen = {slot: part for slot, part in parts.items() if part not in (None, ())}
    grid = Grid(recipe, chosen, settings, seeds_of(seeds))
    if dry_run:
        _show(planned(output, grid, without))
        return
    allowed = Allowed.by(chosen, settings)
    cluster = None if submit is None else Cluster(submit, output, allowed)
    runs = begin(output, grid, without, say)
    if no_train:
        _show(runs)
        return
    found = states(runs)
    failed = {str(run): state.state for run, state in found if state.state.startswith("damaged")}
    elsewhere = [run for run, state in found if state.state == "training now"]
    todo = [r for r, state in found if state.state != "finished" and str(r) not in failed and r not in elsewhere]
    if cluster is not None and (todo or elsewhere):
        _show(runs, cluster.hand_over(todo, say))
        say("the same command prints their progress, and evaluates and compares them when all are finished")
    else:
        failed |= train_all(todo, jobs, say, allowed)
        finished = [run for run, state in states(runs) if state.state == "finished" and str(run) not in failed]
        if metrics and finished:
            _measured(finished, metrics, extractor, count)
        else:
            _show(runs)
        if elsewhere:
            say(f"{counted(len(elsewhere), 'run')} trained by another process: {', '.join(map(str, elsewhere))}")
    if failed:
        said = "; ".join(f"{run}: {reason}" for run, reason in failed.items())
        raise WorkError(f"{len(failed)} of {counted(len(runs), 'run')} failed: {said}.")


def _show(runs: Sequence[Run], jobs: Mapping[str, str] = {}) -> None:
    """Print a table of the runs with their progress and jobs."""
    from gantk.report.table import table
    from gantk.sweeps.folder import states

    rows = []
    for run, state in states(runs):
        there = run.model_toml.exists()
        far = f"{state.step:,} of {state.steps:,} steps" if there else ""
        said = [state.state if there else "new", *([jobs[str(run)]] if str(run) in jobs else [])]
        rows.append((str(run), far, ", ".join(said)))
    click.echo(table(rows, ("RUN", "TRAINED", "STATE")))


def _measured(runs: Sequence[Run], metrics: tuple[str, ...], extractor: str | None, count: int | None) -> None:
    """Evaluate trained runs that have not been evaluated yet, and compare all of them."""
    from gantk.cli.shared import progress_shown
    from gantk.evaluation.evaluate import evaluate
    from gantk.report.compare import compare

    for number, run in enumerate(runs, 1):
        say(f"evaluating {number} of {len(runs)}: {run}")
        with progress_shown() as progress:
            evaluate(run, metrics=list(metrics), extractor=extractor, n=count, progress=progress)
    click.echo(compare(runs))
