"""The intrinsic dimension of a data set as text, as JSON, and as a plot like DE-GAN's Figure 4."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.dimension import LevinaBickel
from gantk.measures.twonn import TwoNN
from gantk.report.dimension_range import range_text
from gantk.report.table import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curve", "dimension_text", "draw_curve", "of_mle", "of_two_nn"]

ROWS = 12
"""Approximate number of rows of the table; the JSON has every k."""

FLAT = 0.05
"""Maximum relative change of the flat part of a curve."""

SMALL = 20
"""Below this k the bias of the mean is said."""

Average = Literal["mean", "harmonic"]


def of_mle(estimate: LevinaBickel) -> dict[str, Any]:
    """Levina & Bickel's estimates for JSON: two values read from the curve, and the curve.

    Infinite values are `None`, since JSON has no infinity.
    """
    columns = ("mean", "mean_error", "unbiased", "harmonic", "harmonic_error", "infinite")
    values = {name: getattr(estimate, name).tolist() for name in columns}
    rows = [{"k": k} | {name: _finite(values[name][index]) for name in columns} for index, k in enumerate(estimate.k)]
    return {
        "normalizer": estimate.normalizer,
        "mean": _reading(estimate, "mean"),
        "harmonic": _reading(estimate, "harmonic"),
        "curve": rows,
    }


def _reading(estimate: LevinaBickel, average: Average) -> dict[str, Any]:
    """The flattest part of the curve; its end if no finite range is long enough."""
    try:
        flat = estimate.flattest(average)
    except UsageError:
        value, error = (float(getattr(estimate, name)[-1]) for name in (average, f"{average}_error"))
        last = estimate.k[-1]
        return {"value": _finite(value), "error": _finite(error), "from": last, "to": last, "change": None}
    return {"value": flat.value, "error": flat.error, "from": flat.first, "to": flat.last, "change": flat.change}


def of_two_nn(estimate: TwoNN) -> dict[str, Any]:
    """TwoNN's estimates for JSON; infinite values are `None`."""
    names = ("fit", "fit_error", "likelihood", "likelihood_error", "points", "discarded")
    return {name: _finite(getattr(estimate, name)) for name in names}


def _finite(value: Any) -> Any:
    return value if math.isfinite(value) else None


def dimension_text(findings: Mapping[str, Any]) -> str:
    """The findings as text; `findings` is what `gantk intrinsic-dim --json` prints."""
    lines = [_head(findings), *range_text(findings)]
    estimate = findings.get("estimate")
    if estimate is not None and estimate["left_out"]:
        lines += ["", f"Below, all {findings['points']:,} points with their near-duplicates:"]
    if "mle" in findings:
        lines += ["", "maximum likelihood (Levina & Bickel 2004)", *_mle(findings["mle"])]
    if "twonn" in findings:
        lines += ["", "two nearest neighbors (Facco et al. 2017)", *_two_nn(findings["twonn"])]
    if estimate is not None:
        lines += [
            "",
            "± is a standard error over points; it treats points as independent, although they share neighbors, and",
            "does not include bias.",
        ]
    return "\n".join(lines)


def _head(findings: Mapping[str, Any]) -> str:
    count, dropped = findings["points"], findings["duplicates"]
    head = f"{findings['data']}: {count:,} points of {' × '.join(map(str, findings['shape']))} numbers"
    if dropped:
        head += f"; {dropped:,} exact duplicate{'' if dropped == 1 else 's'} left out"
    if equal := findings["equal_up_to_rounding"]:
        head += f"; {equal:,} point{'' if equal == 1 else 's'} equal to another up to rounding error left out"
    if subset := findings["subset"]:
        head += (
            f"\na random subset of {subset['points']:,} of {subset['of']:,} (seed {subset['seed']}): its points are "
            "farther apart,\nso its estimates differ from those of the whole data set"
        )
    return head


def _mle(found: Mapping[str, Any]) -> list[str]:
    labels = {"mean": "mean over points (the paper's)", "harmonic": "harmonic mean (MacKay & Ghahramani)"}
    readings = []
    for name, label in labels.items():
        readings.append((f"  {label}", _value(found[name], "value", "error"), _where(found[name])))
    lines = [table(readings)]
    uneven = [name for name in labels if (found[name]["change"] or 0) > FLAT]
    if uneven:
        averages = " and ".join("harmonic mean" if name == "harmonic" else name for name in uneven)
        lines.append(f"  {averages}: no flat part, the curve changes by more than {FLAT:.0%} even there; use a range")
    curve = found["curve"]
    if curve[0]["k"] < SMALL and curve[0]["mean"] is not None:
        lines.append("  the mean is too large at small k, by (k - 1) / (k - 2): 4/3 at k = 5; the unbiased mean is not")
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000, len(curve)) if len(curve) <= ROWS * step)
    rows = [
        (
            f"  {row['k']}",
            _value(row, "mean", "mean_error"),
            "" if row["unbiased"] is None else f"{row['unbiased']:.4g}",
            _value(row, "harmonic", "harmonic_error"),
        )
        for row in curve
        if row["k"] % step == 0 or row in (curve[0], curve[-1])
    ]
    lines += ["", table(rows, ("  k", "mean", "unbiased mean", "harmonic mean"))]
    return lines + _infinite(curve)


def _infinite(curve: Sequence[Mapping[str, Any]]) -> list[str]:
    """Explain where the mean is infinite, and which estimates remain."""
    rows = [row for row in curve if row["infinite"]]
    if not rows:
        return []
    count = max(row["infinite"] for row in rows)
    # If more than k distances are equal, so are the first k: the infinite estimates are those with the smallest k.
    until = f"up to k = {rows[-1]['k']}, " if len(rows) < len(curve) else ""
    line = f"  {until}all k distances are equal at {count:,} points: their estimate is infinite"
    if all(row["harmonic"] is None for row in rows):
        return [f"{line}, and so are", "  both averages: such distances contain no information about the dimension"]
    return [f"{line}, and so is the mean;", "  use the harmonic mean" + (" there" if until else "")]


def _where(reading: Mapping[str, Any]) -> str:
    if reading["change"] is None:
        return f"at k = {reading['to']}"
    change = f"{reading['change']:.1%}"
    return f"over k = {reading['from']} to {reading['to']}, where the curve is flattest: it changes by {change}"


def _two_nn(found: Mapping[str, Any]) -> list[str]:
    used = f"without the {found['discarded']:,} largest of {found['points']:,} ratios"
    rows = [
        ("  line fit (as in the paper)", _value(found, "fit", "fit_error"), used),
        ("  maximum likelihood", _value(found, "likelihood", "likelihood_error"), ""),
    ]
    return [table(rows)]


def _value(found: Mapping[str, Any], value: str, error: str) -> str:
    """A value with as many digits as its error justifies."""
    if found[value] is None:
        return "infinite"
    if found[error] is None:
        return f"{found[value]:.4g}"
    digits = min(6, max(0, 1 - math.floor(math.log10(found[error])))) if found[error] > 0 else 4
    return f"{found[value]:.{digits}f} ± {found[error]:.{digits}f}"


def curve(estimate: LevinaBickel, title: str) -> Figure:
    """A new figure with `draw_curve` in it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    draw_curve(axes, estimate)
    axes.set_title(title)
    axes.legend()
    return figure


def draw_curve(axes: Axes, estimate: LevinaBickel) -> None:
    """Plot both averages over k with their standard errors, and the flattest part of the mean."""
    names: dict[Average, str] = {"mean": "mean over points, as in the paper", "harmonic": "harmonic mean"}
    for index, (name, label) in enumerate(names.items()):
        values, error = _drawn(getattr(estimate, name)), _drawn(getattr(estimate, f"{name}_error"))
        axes.plot(estimate.k, values, color=f"C{index}", label=label, marker="." if len(estimate.k) < 30 else "")
        axes.fill_between(estimate.k, values - error, values + error, color=f"C{index}", alpha=0.25, linewidth=0)
    reading = _reading(estimate, "mean")
    if reading["change"] is not None:
        label = f"flattest: {reading['value']:.1f} over k = {reading['from']} to {reading['to']}"
        axes.hlines(reading["value"], reading["from"], reading["to"], color="0.3", linestyle="--", label=label)
    axes.set(xlabel="k, neighbors of each point", ylabel="estimated intrinsic dimension")
    axes.grid(alpha=0.3)


def _drawn(values: Tensor) -> Tensor:
    """Replace infinity, which raises a warning, by NaN, which leaves a gap in the line."""
    return torch.where(values.isfinite(), values, torch.nan)
