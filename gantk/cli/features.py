"""`gantk features`: what the discriminator's features respond to."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, SEED, STEP, check_shape, counted, naming, naming_data, opened, progress_bar, reserve

__all__ = ["command"]


@click.command("features")
@click.argument("run", type=PLACE)
@click.option("-n", "count", type=click.IntRange(min=1), default=6, show_default=True, help="Number of features.")
@click.option("--top", type=click.IntRange(min=1), default=4, show_default=True, help="Number of images of each.")
@click.option(
    "-o",
    "--output",
    type=PLACE,
    default=Path("features.png"),
    show_default=True,
    metavar="PNG",
    help="The picture to write.",
)
@click.option("--data", metavar="PART", help="Examine images of this data set; by default of the training data.")
@click.option(
    "--subset",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    metavar="N",
    help="Examine N images, drawn at random.",
)
@STEP
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same images.")
def command(
    run: Path, count: int, top: int, output: Path, data: str | None, subset: int, step: int | None, seed: int
) -> None:
    """Show what the features of RUN's discriminator respond to, beside those of the same network untrained.

    For each of the first features of its last convolution, the picture has the images with the highest responses, and
    the pixels to which guided backpropagation leads from there (Springenberg et al. 2015).

    \b
    gantk features runs/photos
    gantk features runs/photos --data photos -n 10 -o features.png
    """
    import torch

    from gantk.building.assembly import assemble
    from gantk.building.construct import construct
    from gantk.building.images import open_data
    from gantk.errors import UsageError
    from gantk.measures.guided import responses
    from gantk.permissions import as_said_by
    from gantk.report.features import features_picture
    from gantk.report.pictures import PICTURES, check_drawable, check_grid, save_picture
    from gantk.report.table import table
    from gantk.seeds import rng_for

    reserve(output, PICTURES)
    found, model = opened(run, step)
    trained = model.discriminator
    if trained is None or model.condition is not None:
        what = "has no discriminator" if trained is None else "is conditional"
        raise UsageError(f"the model of {run} {what}: choose the run of an unconditional GAN.")
    check_grid(output, 2 * count * 2 * top, model.image_shape, 4 * top)
    check_drawable(model.image_shape)
    with as_said_by(model.built.said_by):
        fresh = assemble(found.spec(), for_training=False).eval().discriminator
    assert fresh is not None
    if data is not None:
        source = construct("data", data)
    else:
        with naming_data("name it with --data"), as_said_by(model.built.said_by):
            source = open_data(found.spec())
    check_shape(data or "the training data", source, model)
    with progress_bar("reading images") as progress:
        source.prepare(progress)
    order = torch.randperm(len(source), generator=rng_for(seed, "subset"))[:subset].tolist()
    if len(order) < top:
        raise UsageError(f"there are {counted(len(order), 'image')}, and --top asks for {top}.")
    with naming(found):
        blocks = {
            name: responses(network, source, order, count, top)
            for name, network in (("trained", trained), ("untrained", fresh))
        }
    rows = [(name, f"{each.mean.mean():.3g}", f"{each.selectivity:.2f}") for name, each in blocks.items()]
    click.echo(table(rows, ("DISCRIMINATOR", "MEAN RESPONSE", "HIGHEST")))
    shown = len(blocks["trained"].values)
    click.echo(
        f"\nresponses of {counted(shown, 'feature')} to {counted(len(order), 'image')}; the highest one is in standard "
        "deviations above the mean"
    )
    save_picture(features_picture([*blocks.values()]), output)
    click.echo(f"\n{output} shows a row for each feature: {counted(top, 'image')} and their gradients, trained on the")
    click.echo("left and untrained on the right")
