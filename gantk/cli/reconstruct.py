"""`gantk reconstruct`: encode images, generate images from the codes, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gantk.cli.shared import PLACE, SEED, STEP, check_shape, counted, naming, naming_data, opened, progress_bar, reserve
from gantk.errors import DataError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from gantk.data import DataSource
    from gantk.measures.degradation import Degradation
    from gantk.model import Model

__all__ = ["command"]


@click.command("reconstruct")
@click.argument("run", type=PLACE)
@click.argument("images", type=PLACE, nargs=-1)
@click.option("-n", "count", type=click.IntRange(min=1), default=8, show_default=True, help="Number of rows.")
@click.option(
    "-o",
    "--output",
    type=PLACE,
    default=Path("reconstruction.png"),
    show_default=True,
    metavar="PNG",
    help="The picture to write.",
)
@click.option("--data", metavar="PART", help="Measure on this data set, such as mnist:split=test or photos.")
@click.option(
    "--subset",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="Measure on N images of the data set, drawn at random.",
)
@click.option(
    "--degrade",
    "degradations",
    metavar="KIND=NUMBER",
    multiple=True,
    help="Degrade images before they are encoded: noise=0.3, downscale=4 or mask=0.25; repeat for several, in order.",
)
@STEP
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same noise, images and degradation.")
def command(
    run: Path,
    step: int | None,
    images: tuple[Path, ...],
    count: int,
    output: Path,
    data: str | None,
    subset: int,
    degradations: tuple[str, ...],
    seed: int,
) -> None:
    """Show images next to their reconstructions by RUN's model, and print the errors.

    IMAGES are image files, resized to the model's size. By default, images of the data set are shown, from its held-out
    split if it has one. The refiner is not applied.

    \b
    gantk reconstruct runs/digits
    gantk reconstruct runs/digits three.png seven.png --degrade noise=0.3
    """
    from gantk.measures.reconstruction import (
        check_reads_codes,
        generated_again,
        generated_errors,
        image_errors,
        mean_image,
        reconstructed,
    )
    from gantk.report.pictures import PICTURES, check_drawable, check_grid, save_picture
    from gantk.report.reconstruction import ErrorRow, error_table, picture_of
    from gantk.seeds import rng_for

    reserve(output, PICTURES)
    spoilt = [_degradation(text) for text in degradations]
    found, model = opened(run, step)
    check_grid(output, 8 * (len(images) or count), model.image_shape, 8)
    with naming(found):
        check_reads_codes(model)
        check_drawable(model.image_shape)
    for each in spoilt:
        each.check(model.image_shape)
    sets, note = _sets(model, images, data, subset, seed)
    rows = []
    for each_set in sets:
        with progress_bar("reconstructing") as progress:
            mean = mean_image(each_set.batches(lambda done: progress(done / 2)))
            errors = image_errors(model, each_set.batches(lambda done: progress((1 + done) / 2)), spoilt, seed, mean)
        rows.append(ErrorRow(each_set.name, len(each_set), errors.again))
        if errors.mean_image is not None and len(each_set) > 1:
            rows.append(ErrorRow("  if all were their mean image", len(each_set), errors.mean_image))
        if spoilt:
            degraded = " ".join(map(str, spoilt))
            rows.append(ErrorRow(f"  degraded images ({degraded})", len(each_set), errors.degraded))
    own = generated_errors(model, subset, seed)
    rows += [
        ErrorRow("generated images", subset, own.images),
        ErrorRow("their codes", subset, own.codes),
        ErrorRow("  if all codes were zero", subset, own.silence),
    ]
    click.echo(error_table(rows))
    click.echo("\nmean error per pixel in [-1, 1] and per code dimension, relative to the originals")
    if model.refiner is not None:
        click.echo("the refiner is not applied")
    if note:
        click.echo(f"not measured: {note}")
    shown = sets[0].first(len(images) or count)
    real = reconstructed(model, shown, spoilt, rng_for(seed, "degrade"))
    save_picture(picture_of(generated_again(model, count, seed), real, degraded=bool(spoilt)), output)
    columns = ["image", *(["degraded image"] if spoilt else []), "its code", "image generated from the code"]
    click.echo(f"\n{output} shows, from left to right: noise, image generated from it, its code, image generated from")
    click.echo(f"the code; {', '.join(columns)}")


def _degradation(text: str) -> Degradation:
    from gantk.measures.degradation import Degradation

    with naming(f"--degrade {text}"):
        return Degradation.parse(text)


class _Set:
    """Images of a source, in the order in which they are measured and shown."""

    def __init__(self, name: str, source: DataSource, indices: list[int]) -> None:
        self.name = name
        self._source = source
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def first(self, n: int) -> Tensor:
        from gantk.data import to_float

        return to_float(self._source.images(self._indices[:n]))

    def batches(self, progress: Callable[[float], object]) -> Iterator[Tensor]:
        from gantk.chunks import CHUNK
        from gantk.data import to_float

        for start in range(0, len(self), CHUNK):
            chunk = self._indices[start : start + CHUNK]
            yield to_float(self._source.images(chunk))
            progress((start + len(chunk)) / len(self))


def _sets(model: Model, images: Sequence[Path], data: str | None, subset: int, seed: int) -> tuple[list[_Set], str]:
    """The given image files, if any, then the data set; and the reason if the data set cannot be read."""
    from gantk.measures.reconstruction import picture_files

    found = []
    if images:
        files = picture_files(images, model.image_shape)
        found.append(_Set(counted(len(images), "picture file"), files, list(range(len(files)))))
    try:
        found.append(_data_set(model, data, subset, seed))
    except (DataError, UsageError) as error:
        if not images or data is not None:
            raise
        return found, str(error)
    return found, ""


def _data_set(model: Model, data: str | None, subset: int, seed: int) -> _Set:
    import torch

    from gantk.building.construct import construct
    from gantk.measures.reconstruction import held_out
    from gantk.permissions import as_said_by
    from gantk.seeds import rng_for

    if data is not None:
        name, source = data, construct("data", data)
    else:
        with naming_data("name it with --data"), as_said_by(model.built.said_by):
            own = held_out(model.built.spec)
        source = own.source
        kind = "training images (none are held out)" if own.seen else "held-out images"
        name = f"{kind}, {own.name}"
    check_shape(name, source, model)
    with progress_bar("reading images") as progress:
        source.prepare(progress)
    order = torch.randperm(len(source), generator=rng_for(seed, "subset"))[:subset]
    return _Set(name, source, order.tolist())
