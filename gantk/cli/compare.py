"""`gantk compare`: compare the scores of runs."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, reserve

__all__ = ["command"]

SUFFIXES = (".md", ".csv", ".tex", ".png", ".svg", ".pdf")


@click.command("compare")
@click.argument("runs", type=PLACE, nargs=-1, required=True, metavar="RUN…")
@click.option(
    "--metrics",
    "--metric",
    "metrics",
    metavar="NAME",
    multiple=True,
    help="Metric or figure, such as prdc or precision; repeat for several. By default all with the same protocol.",
)
@click.option(
    "--best", metavar="FIGURE", help="Use each run's best checkpoint by this figure, not the newest evaluated one."
)
@click.option(
    "-o", "--output", type=PLACE, metavar="FILE", help="Write a table (.md, .csv, .tex), or curves (.png, .svg, .pdf)."
)
def command(runs: tuple[Path, ...], metrics: tuple[str, ...], best: str | None, output: Path | None) -> None:
    """Compare the scores of runs, with mean and spread over seeds.

    RUN is a run that gantk evaluate has evaluated, one of its checkpoints, a folder of runs, or evaluated images. Runs
    that differ only in the seed are in one row. Numbers in one column have the same protocol. A row is marked if it is
    better than all others by more than the spread explains. A picture shows the metrics that were logged in training.

    \b
    gantk compare runs/dcgan-0 runs/dcgan-1 runs/wgan-0 runs/wgan-1
    gantk compare runs/sweep -o table.tex
    gantk compare runs/sweep --best frechet
    gantk compare runs/dcgan runs/wgan -o curves.png
    """
    from gantk.report.compare import compare

    if output is not None:
        reserve(output, SUFFIXES)
        if output.suffix.lower() in SUFFIXES[3:]:
            _curves(runs, metrics, output)
            return
    found = compare(runs, metrics=metrics, best=best)
    if output is None:
        click.echo(found)
        return
    found.save(output)
    click.echo(f"written to {output}")


def _curves(runs: tuple[Path, ...], metrics: tuple[str, ...], output: Path) -> None:
    from gantk.evaluation.entries import found_entries, rows_of
    from gantk.report.curves import curves_figure, logged_curves
    from gantk.report.pictures import save_figure

    entries = found_entries(runs)
    rows = rows_of(entries, [None] * len(entries))
    curves = logged_curves(rows, metrics)
    save_figure(curves_figure(rows, curves), output)
    for name, reason in curves.refused.items():
        click.echo(f"not drawn: {name}: {reason}")
    click.echo(f"written to {output}")
