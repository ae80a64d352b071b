"""`gantk intrinsic-dim`: how many numbers a data set's points really vary in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gantk.cli.shared import PLACE, SEED, progress_bar
from gantk.errors import OptionError, UsageError, nearest

__all__ = ["command"]

ESTIMATORS = ("mle", "twonn")


class _Neighbours(click.ParamType[range]):
    """`20`, or `5:100`, both ends included."""

    name = "k"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        if isinstance(value, range):
            return value
        first, colon, last = str(value).partition(":")
        try:
            found = range(int(first), int(last if colon else first) + 1)
        except ValueError:
            self.fail(f"expected one k, as 20, or a range, as 5:100; not '{value}'.", param, ctx)
        if not found or found[0] < 2:
            self.fail(f"expected 2 or more, the first no greater than the last; not '{value}'.", param, ctx)
        return found


class _Estimators(click.ParamType[tuple[str, ...]]):
    """`mle`, `twonn`, or both with a comma."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = [name.strip() for name in str(value).split(",")]
        for name in names:
            if name not in ESTIMATORS:
                raise OptionError(f"there is no estimator '{name}'.{nearest(name, ESTIMATORS)}")
        return tuple(name for name in ESTIMATORS if name in names)


@click.command("intrinsic-dim")
@click.argument("data")
@click.option("--k", type=_Neighbours(), default="5:100", show_default=True, help="Neighbours: one k, or 5:100.")
@click.option(
    "--estimator", "estimators", type=_Estimators(), default="mle,twonn", show_default=True, help="mle, twonn, or both."
)
@click.option("--subset", type=click.IntRange(min=1), metavar="N", help="Take N points at random.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same subset and same errors.")
@click.option("-o", "--output", type=PLACE, metavar="PICTURE", help="Draw the curve over k: NAME.png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    data: str,
    k: range,
    estimators: tuple[str, ...],
    subset: int | None,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Estimate the intrinsic dimension of DATA: how many numbers its points really vary in.

    DATA is a data plugin, as for gantk build --data, or an array [N, …] of uint8 or float in a file: FILE.npy,
    FILE.npz, or FILE.npz:array=NAME. Points that equal another one in every number are left out, and counted.

    \b
    gantk intrinsic-dim digits -o curve.png
    gantk intrinsic-dim folder:root=photos,size=64 --k 20 --json
    """
    import json
    from contextlib import redirect_stdout

    from gantk.pictures import writable

    if output is not None:
        if "mle" not in estimators:
            raise UsageError("-o draws the curve of the estimator mle over k: leave -o out, or add mle to --estimator.")
        writable(output, suffixes=(".png", ".svg", ".pdf"))
    with redirect_stdout(sys.stderr):  # a plugin that prints must not spoil the JSON
        findings = _examine(data, k, estimators, subset, seed, output)
    if as_json:
        click.echo(json.dumps(findings, indent=2, allow_nan=False))
        return
    from gantk.report.dimension import dimension_text

    click.echo(dimension_text(findings))
    if output is not None:
        click.echo(f"\nthe curve over k is drawn in {output}")


def _examine(
    data: str, k: range, estimators: tuple[str, ...], subset: int | None, seed: int, output: Path | None
) -> dict[str, Any]:
    """Read, search once, estimate, draw."""
    import torch

    from gantk.cli.points import named_points
    from gantk.ops.dimension import intrinsic_dimension
    from gantk.ops.neighbours import Neighbours
    from gantk.ops.twonn import two_nn
    from gantk.pictures import save_figure
    from gantk.report.dimension import curve, of_mle, of_two_nn
    from gantk.seeds import generator_for

    source = named_points(data)
    indices = None
    if subset is not None:
        if subset > source.count:
            raise UsageError(f"--subset {subset}: {source.name} has {source.count} points; leave --subset out.")
        order = torch.randperm(source.count, generator=generator_for(seed, "subset"))
        indices = order[:subset].sort().values.numpy()
    with progress_bar("reading") as progress:
        points = source.read(indices, progress)
    with progress_bar("searching") as progress:
        most = k[-1] if "mle" in estimators else 2
        found = Neighbours.search(points, most, duplicates="drop", progress=progress)
    findings: dict[str, Any] = {
        "data": source.name,
        "points": len(found.distances),
        "shape": list(points.shape[1:]),
        "duplicates": found.dropped,
        "subset": {"points": subset, "of": source.count, "seed": seed} if subset is not None else None,
    }
    if "mle" in estimators:
        estimate = intrinsic_dimension(found, k)
        findings["mle"] = of_mle(estimate)
        if output is not None:
            save_figure(curve(estimate, f"{source.name}, {len(found.distances):,} points"), output)
    if "twonn" in estimators:
        findings["twonn"] = of_two_nn(two_nn(found, generator=generator_for(seed, "two_nn")))
    return findings
