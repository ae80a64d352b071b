"""`gantk sample`: images out of a trained run."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("sample")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="How many images.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("grid.png"),
    show_default=True,
    metavar="PATH",
    help="GRID.png for one picture, a folder for single PNGs, or FILE.npz.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same images.")
@click.option("--no-refiner", is_flag=True, help="Leave the model's refiner out.")
def command(run: Path, count: int, output: Path, seed: int, no_refiner: bool) -> None:
    """Draw images from the newest checkpoint of RUN.

    An .npz holds one array, images: uint8 [N, height, width, channels].
    """
    from gantk.checkpoint import load
    from gantk.pictures import save_images, writable

    writable(output)
    model = load(run)
    save_images(model.sample(count, seed, refine=not no_refiner), output)
    click.echo(f"{count} images written to {output}")
