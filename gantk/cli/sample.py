"""`gantk sample`: images out of a trained run."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, SEED, STEP, counted, opened
from gantk.errors import UsageError

__all__ = ["command"]


@click.command("sample")
@click.argument("run", type=PLACE)
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="How many images.")
@click.option(
    "-o",
    "--output",
    type=PLACE,
    default=Path("grid.png"),
    show_default=True,
    metavar="PATH",
    help="GRID.png for one picture, a folder for single PNGs, or FILE.npz.",
)
@STEP
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same images.")
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="TEXT",
    help="What a conditional model draws, as a class; repeat it for several in turn.",
)
@click.option("--no-refiner", is_flag=True, help="Leave the model's refiner out.")
def command(
    run: Path, step: int | None, count: int, output: Path, seed: int, conditions: tuple[str, ...], no_refiner: bool
) -> None:
    """Draw images from RUN, or from one of its checkpoints.

    An .npz holds one array, images: uint8 [N, height, width, channels].
    """
    from gantk.report.pictures import save_images, try_place, writable

    writable(output, count=count)
    try_place(output)
    _, model = opened(run, step)
    if no_refiner and model.refiner is None:
        raise UsageError(f"{run} has no refiner: leave out --no-refiner, the images are the generator's own.")
    images = model.sample(count, seed, refine=not no_refiner, condition=conditions or None)
    save_images(images, output)
    click.echo(f"{counted(count, 'image')} written to {output}")
