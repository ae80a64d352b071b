"""`gantk report`: write a page that shows runs."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, progress_shown

__all__ = ["command"]


@click.command("report")
@click.argument("runs", type=PLACE, nargs=-1, required=True, metavar="RUN…")
@click.option(
    "-o",
    "--output",
    type=PLACE,
    metavar="HTML",
    help="The page to write; by default report.html in RUN, or in this folder for several runs.",
)
def command(runs: tuple[Path, ...], output: Path | None) -> None:
    """Write a page that shows RUN: what was built, how training went, what the model draws, and how good it is.

    The page is one HTML file, which opens in any browser, without a network. The curves of several runs are drawn over
    each other. RUN is a run, one of its checkpoints, or a folder of runs. What a run lacks is said in the page. A run
    that is being trained can be reported, too.

    \b
    gantk report runs/digits
    gantk report runs/dcgan runs/wgan -o games.html
    """
    from gantk.pages.report import report

    with progress_shown() as progress:
        path = report(runs, output, progress=progress)
    click.echo(f"written to {path} ({path.stat().st_size / 1e6:.1f} MB)")
