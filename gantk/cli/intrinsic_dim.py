"""`gantk intrinsic-dim`: estimate the intrinsic dimension of a data set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gantk.cli.shared import DEVICES, PLACE, SEED, counted, naming, progress_bar, reserve
from gantk.errors import OptionError, UsageError, nearest

if TYPE_CHECKING:
    from gantk.measures.dimension import LevinaBickel

__all__ = ["command"]

ESTIMATORS = ("mle", "twonn")

LEAST = {"mle": 3, "twonn": 4}
"""Points that an estimator needs."""


class _Neighbors(click.ParamType[range]):
    """`20`, or `5:100`, both ends included."""

    name = "k"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        if isinstance(value, range):
            return value
        first, colon, last = str(value).partition(":")
        try:
            found = range(int(first), int(last if colon else first) + 1)
        except ValueError:
            self.fail(f"expected one k, such as 20, or a range, such as 5:100; not '{value}'.", param, ctx)
        if not found or found[0] < 2:
            self.fail(f"expected 2 or more, and a range in ascending order; not '{value}'.", param, ctx)
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
@click.option(
    "--k",
    type=_Neighbors(),
    default="5:100",
    show_default=True,
    help="Number of neighbors: one k, or a range such as 5:100.",
)
@click.option(
    "--estimator", "estimators", type=_Estimators(), default="mle,twonn", show_default=True, help="mle, twonn, or both."
)
@click.option("--subset", type=click.IntRange(min=1), metavar="N", help="Use N points, drawn at random.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Same seed, same subset and same errors.")
@DEVICES
@click.option(
    "-o", "--output", type=PLACE, metavar="PICTURE", help="Plot the estimates over k: NAME.png, .svg or .pdf."
)
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
    """Estimate the intrinsic dimension of DATA: the number of dimensions in which its points vary.

    One estimate comes first, with its range over estimators, numbers of neighbors and numbers of points, and the
    dimension of noise that it asks for. Near-duplicates are left out of it where there are many.

    DATA is a data plugin, as for gantk build --data, or an array [N, …] of uint8 or float in a file: FILE.npy,
    FILE.npz, or FILE.npz:array=NAME. Exact duplicates, and points that differ from another one only by rounding error,
    are left out and counted.

    \b
    gantk intrinsic-dim digits -o curve.png
    gantk intrinsic-dim photos:size=64 --k 20 --json
    """
    import json
    from contextlib import redirect_stdout

    from gantk.report.pictures import save_figure

    if output is not None:
        if "mle" not in estimators:
            raise UsageError("-o plots the estimates of mle over k: leave out -o, or add mle to --estimator.")
        reserve(output, (".png", ".svg", ".pdf"))
    with redirect_stdout(sys.stderr):  # a plugin that prints must not spoil the JSON
        findings, estimate = _examine(data, k, estimators, subset, seed)
    from gantk.report.dimension import curve, dimension_text

    click.echo(json.dumps(findings, indent=2, allow_nan=False) if as_json else dimension_text(findings))
    if output is not None and estimate is not None:  # drawn last: a full disk costs the picture, not the estimates
        save_figure(curve(estimate, f"{findings['data']}, {findings['points']:,} points"), output)
        if not as_json:
            click.echo(f"\nplot written to {output}")


def _examine(
    data: str, k: range, estimators: tuple[str, ...], subset: int | None, seed: int
) -> tuple[dict[str, Any], LevinaBickel | None]:
    """Read the points, search, estimate; also returns the curve, if there is one."""
    import torch

    from gantk.cli.points import named_points
    from gantk.measures.dimension import intrinsic_dimension
    from gantk.measures.dimension_range import dimension_range
    from gantk.measures.duplicates import distinct
    from gantk.measures.near_duplicates import neighborhood
    from gantk.measures.neighbors import Neighbors
    from gantk.measures.twonn import two_nn
    from gantk.report.dimension import of_mle, of_two_nn
    from gantk.report.dimension_range import of_range
    from gantk.seeds import rng_for

    source = named_points(data)
    indices = None
    if subset is not None:
        if subset > source.count:
            raise UsageError(f"--subset {subset}: {source.name} has {source.count} points; leave --subset out.")
        order = torch.randperm(source.count, generator=rng_for(seed, "subset"))
        indices = order[:subset].sort().values.numpy()
    name = source.name if subset is None else f"the subset of {source.name}"
    with progress_bar("reading") as progress:
        points = source.read(indices, progress)
    kept = distinct(points)
    dropped = len(points) - len(kept)
    _enough(name, len(kept), dropped, k, estimators)
    with progress_bar("searching") as progress, naming(source.name):
        some = points[kept] if dropped else points
        most = max(k[-1] if "mle" in estimators else 2, neighborhood(len(some)))
        found = Neighbors.search(some, most, duplicates="drop", progress=progress)
    findings: dict[str, Any] = {
        "data": source.name,
        "points": len(found.distances),
        "shape": list(points.shape[1:]),
        "duplicates": dropped,
        "equal_up_to_rounding": found.near,
        "subset": {"points": subset, "of": source.count, "seed": seed} if subset is not None else None,
    }
    with progress_bar("comparing") as progress:
        rng = rng_for(seed, "half")
        chosen: list[Any] = list(estimators)
        summary = dimension_range(some, k, estimators=chosen, found=found, rng=rng, progress=progress)
    findings["estimate"] = None if summary is None else of_range(summary)
    estimate = None
    if "mle" in estimators:
        estimate = intrinsic_dimension(found, k)
        findings["mle"] = of_mle(estimate)
    if "twonn" in estimators:
        findings["twonn"] = of_two_nn(two_nn(found, rng=rng_for(seed, "two_nn")))
    return findings, estimate


def _enough(name: str, count: int, dropped: int, k: range, estimators: tuple[str, ...]) -> None:
    """Refuse too few points, and suggest options that work with them."""
    has = f"{name} has {counted(count, 'point')}" + (f" without {counted(dropped, 'duplicate')}" if dropped else "")
    if count < min(LEAST.values()):
        needs = " and ".join(f"{estimator} needs {LEAST[estimator]}" for estimator in estimators)
        raise UsageError(f"{has}; {needs} or more: use more points.")
    # As many neighbors as there are, starting from the requested k if possible.
    most = count - 1
    first = k[0] if k[0] <= most else most if len(k) == 1 else 2
    fitting = "" if k[-1] <= most else f" --k {first}:{most}" if first < most else f" --k {most}"
    lacking = [estimator for estimator in estimators if count < LEAST[estimator]]
    if lacking:
        raise UsageError(f"{has}; {lacking[0]} needs {LEAST[lacking[0]]} or more: use --estimator mle{fitting}.")
    if "mle" in estimators and fitting:
        raise UsageError(f"{has}, so k is at most {most}: use{fitting}.")
