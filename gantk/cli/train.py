"""`gantk train`: train a run's model."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from gantk.cli.shared import PLACE, naming, naming_data
from gantk.errors import UsageError

__all__ = ["command"]


@click.command("train")
@click.argument("run", type=PLACE)
@click.option(
    "--set",
    "settings",
    metavar="PATH=VALUE",
    multiple=True,
    help="Change a stage's length or learning rates from this step on.",
)
@click.option("--data", metavar="PART", help="The data at its new location, such as photos:size=64.")
@click.option("--accept-data", is_flag=True, help="Continue with data that has changed since the run was built.")
@click.option("--time", metavar="TIME", help="How long to train at most, as 30min; run it again to resume.")
@click.option("--devices", type=click.IntRange(min=1), metavar="N", help="Number of devices; one by default.")
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    metavar="M",
    help="Number of machines with N devices each, whose processes torchrun or a cluster has started.",
)
@click.option("--fresh", is_flag=True, help="Start over; checkpoints, samples and logs are moved aside first.")
@click.option("--allow-download", is_flag=True, help="Let the run download what its parts ask for (download=true).")
def command(
    run: Path,
    settings: tuple[str, ...],
    data: str | None,
    accept_data: bool,
    time: str | None,
    devices: int | None,
    nodes: int | None,
    fresh: bool,
    allow_download: bool,
) -> None:
    """Train the model of RUN, resuming from its newest checkpoint if there is one.

    Ctrl-C saves and stops; run the command again to resume. Losses are written to log.jsonl and TensorBoard, sample
    grids to samples/.

    \b
    gantk train runs/digits --set stages.game.length="20 epochs"
    gantk train runs/digits --set stages.game.generator.lr=1e-4
    gantk train runs/digits --time 2h
    """
    from gantk.building.code import code_flags
    from gantk.building.load import reopened
    from gantk.permissions import allowing_downloads
    from gantk.report.runs import total_steps
    from gantk.run.located import located
    from gantk.training import train
    from gantk.training.fabric import rank_zero

    folder, step = located(run)
    if step is not None:
        raise UsageError(f"{run} is a checkpoint; gantk train {folder.typed} resumes from the run's newest one.")
    if devices is not None:
        settings = (*settings, f"train.devices={devices}")
    if nodes is not None:
        settings = (*settings, f"train.nodes={nodes}")
    moved = naming_data(f"gantk train {folder.typed} --data PATH") if data is None else nullcontext()
    with allowing_downloads(allow_download):
        with moved, naming(folder.model_toml):
            model = reopened(folder, data)
        untouched = data is not None and not folder.steps()
        train(model, folder, fresh=fresh, settings=settings, accept_data=accept_data or untouched, time=time)
    first: Any = rank_zero.rank_zero_only
    if first.rank == 0 and max(folder.steps(), default=0) >= total_steps(folder.spec()):
        click.echo(f"trained; generate images with: gantk sample {folder.typed}{code_flags()} -n 64 -o grid.png")
