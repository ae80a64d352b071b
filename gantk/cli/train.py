"""`gantk train`: from a run's model to its images."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, naming
from gantk.errors import UsageError

__all__ = ["command"]


@click.command("train")
@click.argument("run", type=PLACE)
@click.option("--fresh", is_flag=True, help="Start over: delete this run's checkpoints, samples and logs first.")
def command(run: Path, fresh: bool) -> None:
    """Train the model of RUN, from where it stands.

    Ctrl-C saves and stops; the same command goes on. Losses go to log.jsonl and TensorBoard, sample grids to samples.
    """
    from gantk.building.assembly import assemble
    from gantk.run.folder import located
    from gantk.training import train

    folder, step = located(run)
    if step is not None:
        raise UsageError(f"{run} is a checkpoint: gantk train {folder.typed} resumes from the run's newest one.")
    with naming(folder.model_toml):
        model = assemble(folder.spec())
    train(model, folder, fresh=fresh)
    click.echo(f"trained; draw images with: gantk sample {folder.typed} -n 64 -o grid.png")
