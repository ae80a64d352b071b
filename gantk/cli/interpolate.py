"""`gantk interpolate`: strips of images that interpolate between random noise vectors."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, SEED, STEP, counted, opened, reserve

__all__ = ["command"]


@click.command("interpolate")
@click.argument("run", type=PLACE)
@click.option(
    "--rows", type=click.IntRange(min=1), default=8, show_default=True, help="Number of strips, one per pair of points."
)
@click.option(
    "--steps", type=click.IntRange(min=2), default=10, show_default=True, help="Images per strip, including both ends."
)
@click.option(
    "--path",
    type=click.Choice(["linear", "spherical"]),
    default="linear",
    show_default=True,
    help="Interpolate linearly, or along a great circle.",
)
@click.option(
    "-o",
    "--output",
    type=PLACE,
    default=Path("interpolation.png"),
    show_default=True,
    metavar="PATH",
    help="STRIPS.png or .jpg for one grid, or an animation: FILE.gif, FILE.mp4, or a folder of frames.",
)
@STEP
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same points.")
@click.option("--no-refiner", is_flag=True, help="Do not apply the model's refiner.")
def command(
    run: Path, step: int | None, rows: int, steps: int, path: str, output: Path, seed: int, no_refiner: bool
) -> None:
    """Generate a grid of strips, each interpolating between two random noise vectors of RUN's model.

    A GIF, an MP4 (requires ffmpeg) or a folder of frames shows the strips as animations side by side.
    """
    from gantk.grids import grid
    from gantk.measures.interpolation import PATHS, strips
    from gantk.report.animation import check_animation, save_animation
    from gantk.report.pictures import PICTURES, check_grid, save_picture

    moving = output.suffix.lower() not in PICTURES
    check_animation(output)
    reserve(output, (*PICTURES, ".gif", ".mp4", ""), count=steps)
    _, model = opened(run, step)
    check_grid(output, rows if moving else rows * steps, model.image_shape, None if moving else steps)
    images = model.generate(strips(model.sample_noise(2 * rows, seed), steps, PATHS[path]), refine=not no_refiner)
    if moving:
        save_animation([grid(images[step::steps]) for step in range(steps)], output)
    else:
        save_picture(grid(images, columns=steps), output)
    click.echo(f"{counted(rows, f'{path} strip')} of {steps} images written to {output}")
