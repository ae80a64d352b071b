"""`gantk list-runs`: list the runs in a folder, with their progress and scores."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE

__all__ = ["command"]


@click.command("list-runs")
@click.argument("folder", type=PLACE, required=False, default=Path("runs"), metavar="[FOLDER]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER (default: runs/): recipe, steps trained, last update, scores and parts.

    Scores are the most recent measurements or, if there are none, the most recent losses. Damaged and unfinished runs
    are marked.
    """
    from gantk.report.runs import as_json as json_of
    from gantk.report.runs import runs_in, runs_text

    found = runs_in(folder)
    if as_json:
        click.echo(json_of(found))
    else:
        click.echo(runs_text(found) if found else f"no runs in {folder}; gantk build creates one")
