"""`gantk sample`: generate images with a trained run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from gantk.cli.shared import DEVICES, PLACE, SEED, STEP, counted, naming, opened, progress_bar, reserve
from gantk.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from gantk.measures.samples import Samples
    from gantk.model import Model

__all__ = ["command"]


@click.command("sample")
@click.argument("run", type=PLACE)
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True, help="Number of images.")
@click.option(
    "-o",
    "--output",
    type=PLACE,
    default=Path("grid.png"),
    show_default=True,
    metavar="PATH",
    help="GRID.png or .jpg for one grid, FILE.npz, or FILE.zip or a folder of PNGs.",
)
@STEP
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same images.")
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="TEXT",
    help="Condition of the images, such as a class; repeat to alternate between several.",
)
@click.option("--by-class", is_flag=True, help="Take the classes in turn: in a grid, each has a column.")
@click.option(
    "--truncation",
    type=click.FloatRange(min=0, min_open=True),
    metavar="T",
    help="Draw noise outside [-T, T] again, such as 0.7: more typical, less diverse images. Needs Gaussian noise.",
)
@click.option("--no-refiner", is_flag=True, help="Do not apply the model's refiner.")
@DEVICES
@click.option(
    "--noise",
    "noise",
    type=PLACE,
    metavar="FILE.npy",
    help="Draw the images of these noise vectors [N, dim], in place of random ones.",
)
def command(
    run: Path,
    step: int | None,
    count: int,
    output: Path,
    seed: int,
    conditions: tuple[str, ...],
    by_class: bool,
    truncation: float | None,
    no_refiner: bool,
    noise: Path | None,
) -> None:
    """Generate images with RUN or one of its checkpoints.

    An .npz file holds arr_0: uint8 [N, height, width, channels], and labels if the model is conditional.
    Arrays, zips and folders are written batch by batch, so that their number of images is not limited by memory.
    """
    from gantk.asked import check_truncation
    from gantk.measures.samples import batches_of_noise, labeled_batches
    from gantk.report.image_sets import KINDS, save_images
    from gantk.report.pictures import PICTURES, check_grid

    counted_by_hand = click.get_current_context().get_parameter_source("count") is not ParameterSource.DEFAULT
    if noise is not None and (conditions or by_class or truncation is not None or counted_by_hand):
        raise UsageError("--noise has everything in it: leave out -n, --condition, --by-class and --truncation.")
    reserve(output, KINDS, count)
    _, model = opened(run, step)
    if no_refiner and model.refiner is None:
        raise UsageError(f"{run} has no refiner: leave out --no-refiner.")
    if truncation is not None:
        check_truncation(model.noise, truncation, model.noise_name)
    columns = None
    if by_class:
        conditions = _classes(run, model, conditions)
        columns = len(conditions)
    given = None if noise is None else _noise_in(noise, model)
    count = count if given is None else len(given)
    if output.suffix.lower() in PICTURES:
        check_grid(output, count, model.image_shape, columns)
    with progress_bar("generating images") as progress:
        if given is None:
            batches = labeled_batches(model, count, seed, not no_refiner, conditions, truncation)
        else:
            batches = batches_of_noise(model, given, not no_refiner)
        save_images(_watched(batches, count, progress), count, output, columns)
    click.echo(f"{counted(count, 'image')} written to {output}")


def _noise_in(file: Path, model: Model) -> Tensor:
    """The noise vectors in an array file."""
    from gantk.asked import noise_vectors
    from gantk.data import read_array

    with naming(file):
        found = noise_vectors(read_array(file), model.noise_dim).float()
        if not len(found) or not found.isfinite().all():
            raise UsageError("expected at least one noise vector, and finite numbers of 32 bits.")
    return found


def _classes(run: Path, model: Model, conditions: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a conditional model's classes."""
    if conditions:
        raise UsageError("--by-class takes all classes in turn: leave out --condition, or --by-class.")
    if model.condition is None or "classes" not in model.built.shape:
        raise UsageError(
            f"{run} is not conditional on classes: build one with --condition class, or leave out --by-class."
        )
    return tuple(map(str, model.built.shape["classes"]))


def _watched(batches: Iterable[Samples], count: int, progress: Callable[[float], object]) -> Iterator[Samples]:
    done = 0
    for batch in batches:
        yield batch
        done += len(batch.images)
        progress(done / count)
