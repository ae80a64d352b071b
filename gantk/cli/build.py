"""`gantk build`: from parts to a checked model in a new run folder."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE

__all__ = ["command"]

RUNS = Path("runs")


@click.command("build")
@click.argument("recipe", required=False)
@click.option("--noise", metavar="PART", help="Noise source, as de or de:dim=64,sample=false.")
@click.option("--generator", metavar="PART", help="Generator.")
@click.option("--discriminator", metavar="PART", help="Discriminator.")
@click.option("--refiner", metavar="PART", help="Refiner: improves the generator's images.")
@click.option("--loss", "losses", metavar="PART", multiple=True, help="Loss; give it several times for several.")
@click.option("--data", metavar="PART", help="Data set, as digits or folder:root=photos,size=64.")
@click.option("--set", "settings", metavar="PATH=VALUE", multiple=True, help="Any setting of model.toml.")
@click.option("--seed", type=int, help="What everything random follows from; 0 by default.")
@click.option("-o", "--output", type=PLACE, metavar="RUN", help="The run folder to make.")
@click.option("--dry-run", is_flag=True, help="Check and print, and write nothing.")
def command(
    recipe: str | None,
    noise: str | None,
    generator: str | None,
    discriminator: str | None,
    refiner: str | None,
    losses: tuple[str, ...],
    data: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    dry_run: bool,
) -> None:
    """Put a model together, check that its parts fit, and write it to a new run folder.

    RECIPE is a paper's system to start from (see gantk list recipe); a DCGAN game where none is given. Every option
    replaces the recipe's part. An adversarial loss replaces the recipe's, other losses are added to it.

    \b
    gantk build --noise de --loss hidden
    gantk build wgan-gp --data folder:root=photos,size=64 --set stages.game.length="50 epochs"
    """
    from gantk.building.assembly import build
    from gantk.report.summary import summary
    from gantk.run import Run

    if output and not dry_run:
        Run(output).check_free()
    model = build(
        recipe,
        noise=noise,
        generator=generator,
        discriminator=discriminator,
        refiner=refiner,
        loss=list(losses) or None,
        data=data,
        settings=settings,
        seed=seed,
    )
    if not dry_run:
        run = Run(output or _free(RUNS / model.spec["preset"]))
        run.create(model.spec)
    click.echo(summary(model))
    if not dry_run:
        click.echo(f"\nwritten to {run.model_toml}; next: gantk train {run.typed}")


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, … that does not exist."""
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
