"""`gantk build`: build a model from parts, check it, and write it to a new run folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gantk.cli.shared import PLACE, naming_data
from gantk.kinds import KINDS

if TYPE_CHECKING:
    from gantk.model import Model

__all__ = ["command"]


def parts_of_a_model(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options to a command: one for every kind of part in the table of kinds, and `--without`."""
    command = click.option(
        "--without",
        metavar="PART",
        multiple=True,
        help="Remove a part of the recipe, such as hidden, or a whole list, such as loss; repeat for several.",
    )(command)
    for kind in reversed([kind for kind in KINDS.values() if kind.help]):
        several = kind.holds == "list"
        command = click.option(kind.flag, kind.name, metavar="PART", multiple=several, help=kind.help)(command)
    return command


@click.command("build")
@click.argument("recipe", required=False)
@parts_of_a_model
@click.option("--set", "settings", metavar="PATH=VALUE", multiple=True, help="Change any setting of model.toml.")
@click.option("--from", "start", type=PLACE, metavar="RUN", help="Start from the weights of this run or checkpoint.")
@click.option("--seed", type=int, help="Random seed; 0 by default.")
@click.option("--time", metavar="TIME", help="How long training may take, as 30min; for recipes such as pictures.")
@click.option("-o", "--output", type=PLACE, metavar="RUN", help="The run folder to create.")
@click.option("--dry-run", is_flag=True, help="Check and print; write nothing.")
def command(
    recipe: str | None,
    without: tuple[str, ...],
    settings: tuple[str, ...],
    start: Path | None,
    seed: int | None,
    time: str | None,
    output: Path | None,
    dry_run: bool,
    **parts: Any,
) -> None:
    """Build a model from parts, check that they fit, and write it to a new run folder.

    RECIPE is a paper's system to start from (see gantk list recipe); by default, a DCGAN game. Every option replaces
    the recipe's part: another plugin comes with its own options, and none of the recipe's. The same plugin keeps the
    options that the recipe gives it, but for those given here: autodecoder --generator dcgan:width=24 keeps init_std.
    An adversarial loss replaces the recipe's with its weight, other losses are added to it, and the weights of the
    others stay: autodecoder --loss wgan-gp has weight 1 beside 0.5 of loss code. Notes say which options were kept and
    dropped. --without removes parts and is applied first: --without loss --loss minimax leaves minimax as the only
    loss, and --without generator --generator dcgan:width=24 has dcgan's own options.

    \b
    gantk build --noise de --loss hidden
    gantk build pictures --data photos --time 1h
    gantk build degan-mnist --without hidden
    gantk build wgan-gp --data photos:size=64 --set stages.game.length="50 epochs"
    gantk build --from runs/faces --data photos
    gantk build --generator ./mine.py:MyGenerator
    """
    from gantk.building.build import build
    from gantk.building.code import code_flags
    from gantk.report.summary import summary
    from gantk.run.checkpoints import create
    from gantk.run.folder import Run
    from gantk.run.places import free_place

    if output and not dry_run:
        Run(output).check_free()
    chosen = {slot: part for slot, part in parts.items() if part not in (None, ())}
    moved = naming_data("name it with --data") if start is not None and "data" not in chosen else nullcontext()
    with moved:
        model = build(recipe, **chosen, settings=settings, without=without, seed=seed, start_from=start, time=time)
    if not dry_run:
        run = Run(output or free_place(model.built.spec["preset"]))
        create(run, model)
    click.echo(summary(model))
    click.echo(f"\n{_time(model)}")
    if not dry_run:
        click.echo(f"\nwritten to {run.model_toml}; next: gantk train {run.typed}{code_flags()}")


def _time(model: Model) -> str:
    """How long training will take, estimated from a few steps."""
    import torch

    from gantk.duration import duration
    from gantk.training.estimate import estimate

    if model.built.spec["train"]["accelerator"] != "cpu" and torch.accelerator.is_available():
        return "time: gantk train estimates it a few seconds after it starts"
    found = estimate(model)
    stages = ", ".join(
        f"{name} {duration(seconds)}" + (f", {found.reasons[name]}" if name in found.reasons else "")
        for name, seconds in found.stages.items()
    )
    return f"time: {duration(found.total)} on this machine's CPU" + (
        f" ({stages})" if len(found.stages) > 1 or found.reasons else ""
    )
