"""`gantk neighbors`: samples beside the training images that are nearest to them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gantk.cli.shared import (
    DEVICES,
    PLACE,
    SEED,
    STEP,
    check_shape,
    counted,
    naming,
    naming_data,
    opened,
    progress_bar,
    reserve,
)
from gantk.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from gantk.data import DataSource
    from gantk.measures.nearest import TrainingNeighbors
    from gantk.model import Model
    from gantk.parts import Extractor

__all__ = ["command"]


@click.command("neighbors")
@click.argument("run", type=PLACE)
@click.option("-n", "rows", type=click.IntRange(min=1), default=8, show_default=True, help="Number of samples to show.")
@click.option(
    "-k", type=click.IntRange(min=1), default=5, show_default=True, help="Number of training images beside each."
)
@click.option(
    "-o",
    "--output",
    type=PLACE,
    default=Path("neighbors.png"),
    show_default=True,
    metavar="PNG",
    help="The picture to write.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Number of samples for the verdict; the first of them are shown.",
)
@click.option("--extractor", metavar="PART", help="Compare features of this extractor; pixels by default.")
@click.option("--data", metavar="PART", help="The training images, if they are in another place than they were.")
@STEP
@DEVICES
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same samples.")
def command(
    run: Path,
    rows: int,
    k: int,
    output: Path,
    samples: int,
    extractor: str | None,
    data: str | None,
    step: int | None,
    seed: int,
) -> None:
    """Show samples of RUN beside their nearest training images, and whether it has memorized those.

    A sample is suspect if it is as near to a training image as that image is to any other training image. Some new
    images are, too: training images, each compared with the others, show how many.
    """
    from gantk.report.neighbors import drawn_shape, neighbors_picture, verdict
    from gantk.report.pictures import PICTURES, check_drawable, check_grid, save_picture

    reserve(output, PICTURES)
    found, model = opened(run, step)
    with naming(found):
        check_drawable(model.image_shape)
    check_grid(output, rows * (k + 1), drawn_shape(model.image_shape), k + 1)
    training = _training_images(model, data)
    drawn = _samples(model, max(rows, samples), seed)
    near = _nearest(drawn, training, extractor, k, seed)
    words = verdict(near, f"features of {extractor}" if extractor else "pixels")
    # Between pixels, the root mean square in levels of 0 to 255 says more than the Euclidean distance.
    unit = 1.0 if extractor else math.sqrt(math.prod(model.image_shape))
    beside = training.images(near.indices[:rows].flatten().tolist()).view(rows, k, *model.image_shape)
    save_picture(neighbors_picture(drawn[:rows], beside, near, words, unit), output)
    distances = f"of features of {extractor}" if extractor else "root mean squares over pixels, in levels of 0 to 255"
    click.echo(f"{output} shows {counted(rows, 'sample')} and the nearest training images (distances: {distances})")
    click.echo(words)


def _training_images(model: Model, data: str | None) -> DataSource:
    from gantk.building.construct import construct
    from gantk.permissions import as_said_by

    spec = model.built.spec
    if data is None and "data" not in spec:
        raise UsageError("this model was built on data given from Python: name its training images with --data.")
    with naming_data("name it with --data"), as_said_by(model.built.said_by, data):
        source: DataSource = construct("data", spec["data"] if data is None else data)
    check_shape("the training images", source, model)
    with progress_bar("reading images") as progress:
        source.prepare(progress)
    return source


def _samples(model: Model, count: int, seed: int) -> Tensor:
    """uint8 `[count, C, H, W]`."""
    import torch

    from gantk.data import to_uint8
    from gantk.measures.samples import sample_batches

    drawn = []
    with progress_bar("generating images") as progress:
        for batch in sample_batches(model, count, seed):
            drawn.append(to_uint8(batch))
            progress(sum(map(len, drawn)) / count)
    return torch.cat(drawn)


def _nearest(drawn: Tensor, training: DataSource, extractor: str | None, k: int, seed: int) -> TrainingNeighbors:
    from gantk.building.construct import construct
    from gantk.data import ArraySource
    from gantk.measures.nearest import training_neighbors
    from gantk.measures.search import Points
    from gantk.measures.side import Side

    points, samples = Points.of_images(training), drawn
    if extractor is not None:
        made: Extractor = construct("extractor", extractor, image_shape=training.image_shape)
        samples = Side(ArraySource(drawn, name="samples"), made).features
        with progress_bar("extracting features") as progress:
            side = Side(training, made, name="training images", progress=progress)
            _ = side.features
        points = Points.of_tensor(side.features)
    with progress_bar("searching") as progress:
        return training_neighbors(samples, points, k, seed, progress)
