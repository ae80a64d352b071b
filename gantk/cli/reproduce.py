"""`gantk reproduce`: a table or figure of a paper, beside our own numbers."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, counted, progress_shown, say

__all__ = ["command"]


@click.command("reproduce")
@click.argument("name", metavar="TABLE", required=False)
@click.option(
    "-o", "--output", type=PLACE, metavar="FOLDER", help="Where runs and results go; reproductions/TABLE by default."
)
@click.option("--quick", is_flag=True, help="Scale it down, to see what it does; the result says how.")
@click.option("--seeds", metavar="A:B", help="Random seeds: 0:3, or a list such as 0,4,7.")
@click.option("--data", metavar="PART", help="The data set, such as mnist:path=FOLDER, in place of the table's own.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Models to train at once.")
def command(name: str | None, output: Path | None, quick: bool, seeds: str | None, data: str | None, jobs: int) -> None:
    """Reproduce TABLE, a table or figure of a paper: train its models, measure them, and compare.

    Without TABLE, all of them are listed. The paper's numbers are printed beside ours, with the protocol, the spread
    over seeds, and what differs; FOLDER gets them as result.md and result.json. Ctrl-C saves and stops; the same
    command resumes, and does not repeat what is finished.

    \b
    gantk reproduce
    gantk reproduce degan/table5 --quick
    gantk reproduce degan/table5 --seeds 0:3 --jobs 2
    """
    from gantk.errors import WorkError
    from gantk.registry import plugins
    from gantk.report.listing import summary_of
    from gantk.report.table import table
    from gantk.sweeps.grid import seeds_of

    if name is None:
        rows = [(plugin.name, plugin.package, summary_of(plugin)) for plugin in plugins("reproduction")]
        click.echo(table(rows, ("TABLE", "PACKAGE", "WHAT IT MEASURES")) if rows else "no reproduction is installed")
        return

    from gantk.reproducing.work import reproduce

    chosen = None if seeds is None else seeds_of(seeds)
    with progress_shown() as progress:
        found = reproduce(name, output, quick=quick, seeds=chosen, data=data, jobs=jobs, say=say, progress=progress)
    click.echo(str(found), nl=False)
    if found.failed:
        said = "; ".join(f"{what}: {why}" for what, why in found.failed.items())
        raise WorkError(f"{counted(len(found.failed), 'part')} of this reproduction failed: {said}.")
