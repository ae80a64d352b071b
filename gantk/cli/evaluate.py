"""`gantk evaluate`: how close to the data, how diverse and how new generated images are."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Literal

import click

from gantk.cli.shared import DEVICES, PLACE, naming_data, progress_shown

__all__ = ["command"]


class _Step(click.ParamType[int | Literal["all"]]):
    """`500`, or `all`."""

    name = "step"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["all"]:
        if value == "all":
            return "all"
        if str(value).isdecimal():
            return int(value)
        self.fail(f"expected a step such as 500, or all, not '{value}'.", param, ctx)


@contextmanager
def _stoppable() -> Iterator[None]:
    from gantk.errors import Interrupted

    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped; finished metrics are saved, and the same command computes the others", signal.SIGINT
        ) from None


@click.command("evaluate")
@click.argument("what", metavar="RUN")
@click.option(
    "--metrics",
    "--metric",
    "metrics",
    metavar="PART",
    multiple=True,
    help="Metric, such as frechet or prdc:k=3; repeat for several. By default all of gantk that suit the data.",
)
@click.option(
    "--extractor",
    metavar="PART",
    help="Extractor of the features, such as pixels or classifier:data=mnist; by default the best for the data.",
)
@click.option("-n", "count", type=click.IntRange(min=1), help="Number of generated images; 10000 by default.")
@click.option("--step", type=_Step(), metavar="N|all", help="Checkpoint of step N, or all; the newest by default.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="K",
    help="Draw K samples, with seeds 0 to K-1, and print mean and standard deviation.",
)
@click.option(
    "--data", metavar="PART", help="The real images, such as mnist:split=test or photos; by default those of the run."
)
@click.option("--real", type=click.IntRange(min=1), metavar="N", help="Compare with N real images, drawn at random.")
@click.option("--no-refiner", is_flag=True, help="Do not apply the model's refiner.")
@DEVICES
@click.option(
    "--again", is_flag=True, help="Compute scores again, even if metrics.json contains them with the same protocol."
)
@click.option("-o", "--output", type=PLACE, metavar="FILE", help="Write scores to FILE, not to RUN/metrics.json.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    what: str,
    metrics: tuple[str, ...],
    extractor: str | None,
    count: int | None,
    step: int | Literal["all"] | None,
    seeds: int,
    data: str | None,
    real: int | None,
    no_refiner: bool,
    again: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Evaluate the images of RUN's model: how close to the data, how diverse and how new they are.

    RUN is a run, one of its checkpoints, or images of another program: a folder, a zip, an .npz, any data as for gantk
    build --data, or a generator in an .onnx file; then --data specifies the real images. Every score is written to
    metrics.json with its protocol as soon as it is finished. Existing scores are not computed again, so an evaluation
    can be stopped and resumed.

    \b
    gantk evaluate runs/digits
    gantk evaluate runs/digits --metrics frechet --metrics prdc:k=3 -n 2000 --seeds 3
    gantk evaluate runs/digits --step all --extractor pixels
    gantk evaluate other/images --data digits
    """
    import json
    from contextlib import nullcontext

    from gantk.evaluation.evaluate import evaluate
    from gantk.evaluation.scores import plain_score
    from gantk.report.evaluation import evaluation_text

    moved = naming_data("name it with --data") if data is None else nullcontext()
    with (
        _stoppable(),
        redirect_stdout(sys.stderr),
        moved,
        progress_shown() as progress,
    ):  # a plugin that prints must not spoil the JSON
        found = evaluate(
            what,
            metrics=list(metrics) or None,
            extractor=extractor,
            n=count,
            step=step,
            seeds=seeds,
            data=data,
            real=real,
            refine=not no_refiner,
            again=again,
            output=output,
            progress=progress,
        )
    if as_json:
        written = {
            "scores": [plain_score(score) for score in found],
            "remarks": found.remarks,
            "left_out": found.left_out,
        }
        click.echo(json.dumps(written, indent=2, allow_nan=False))
    else:
        click.echo(evaluation_text(found, found.left_out, found.remarks))
