"""`gantk noise`: a model's noise beside Gaussian noise."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, SEED, STEP, counted, opened, reserve

__all__ = ["command"]


@click.command("noise")
@click.argument("run", type=PLACE)
@click.option(
    "-n", "count", type=click.IntRange(min=2), default=2000, show_default=True, help="Number of noise vectors."
)
@click.option(
    "-o",
    "--output",
    type=PLACE,
    default=Path("noise.png"),
    show_default=True,
    metavar="FILE",
    help="The picture to write: .png, .svg or .pdf.",
)
@STEP
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same noise.")
def command(run: Path, count: int, output: Path, step: int | None, seed: int) -> None:
    """Show the noise of RUN's model along its first two principal components, beside Gaussian noise.

    Noise that gathers in a few directions, as noise learned from the data does, has most of its variance in a few
    components. The condition of a conditional model is left out.
    """
    import torch

    from gantk.building.spec import bare_name
    from gantk.measures.principal import principal_components
    from gantk.report.noise import noise_figure, noise_table
    from gantk.report.pictures import save_figure
    from gantk.seeds import rng_for

    reserve(output, (".png", ".svg", ".pdf"))
    _, model = opened(run, step)
    dim = model.noise.dim
    own = model.sample_noise(count, seed)[:, :dim].float().cpu()
    gaussian = torch.randn(count, dim, generator=rng_for(seed, "gaussian"))
    name = f"noise of {run.name} ({bare_name(model.built.spec['noise'])})"
    found = {name: principal_components(own), "Gaussian noise": principal_components(gaussian)}
    save_figure(noise_figure(found), output)
    click.echo(noise_table(found))
    shown = f"{count:,} vectors of {counted(dim, 'number')} of each"
    click.echo(f"\n{output} shows {shown}, along their own first 2 components")
