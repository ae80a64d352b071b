"""`gantk export`: write a trained model in a form that other programs read."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, STEP

__all__ = ["command"]


@click.command("export")
@click.argument("run", type=PLACE)
@click.option(
    "--format",
    "form",
    default="onnx",
    show_default=True,
    metavar="FORMAT",
    help="onnx, torch-export, safetensors or hub.",
)
@click.option("-o", "--output", type=PLACE, metavar="FOLDER", required=True, help="A new folder.")
@STEP
@click.option("--no-refiner", is_flag=True, help="Do not apply the model's refiner.")
def command(run: Path, form: str, output: Path, step: int | None, no_refiner: bool) -> None:
    """Write the model of RUN for other programs, which do not need gantk.

    onnx and torch-export write a program from noise (and a condition) to images, and a short script that draws a
    picture with it; its images are compared with the model's before anything is written. safetensors writes the
    generator's weights; hub a folder for the Hugging Face Hub, which gantk reads. All contain a model card.

    \b
    gantk export runs/digits -o digits-onnx
    gantk export runs/digits --format hub -o digits-hub
    """
    from gantk.exports import export

    found = export(run, output, format=form, step=step, refine=not no_refiner)
    checked = "" if found.difference is None else f"; its images differ from the model's by {found.difference:.1g}"
    click.echo(f"written to {found.folder}{checked}")
