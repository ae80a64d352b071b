"""The intrinsic dimension of a data set, as text, as JSON, and as DE-GAN's Figure 4."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from gantk.building.assembly import DEFAULT_RECIPE
from gantk.building.construct import construct
from gantk.building.spec import bare_name, recipe_spec
from gantk.errors import UsageError
from gantk.measures.dimension import LevinaBickel
from gantk.measures.twonn import TwoNN
from gantk.report.table import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curve", "dimension_text", "draw_curve", "of_mle", "of_two_nn"]

ROWS = 12
"""About how many rows the table has; the JSON has every k."""

FLAT = 0.05
"""A curve that changes by more than this has no flat part."""

NOISE_STEP = 32
"""A suggested noise size is a multiple of this."""

Average = Literal["mean", "harmonic"]


def of_mle(estimate: LevinaBickel) -> dict[str, Any]:
    """Levina & Bickel's estimates as JSON can hold them: two readings of the curve, and the curve.

    What is infinite is `None`, as JSON knows no infinity.
    """
    columns = ("mean", "mean_error", "harmonic", "harmonic_error", "infinite")
    values = {name: getattr(estimate, name).tolist() for name in columns}
    rows = [{"k": k} | {name: _finite(values[name][index]) for name in columns} for index, k in enumerate(estimate.k)]
    return {
        "normaliser": estimate.normaliser,
        "mean": _reading(estimate, "mean"),
        "harmonic": _reading(estimate, "harmonic"),
        "curve": rows,
    }


def _reading(estimate: LevinaBickel, average: Average) -> dict[str, Any]:
    """Where the curve is flattest; its end, where no finite stretch is long enough to tell."""
    try:
        flat = estimate.flattest(average)
    except UsageError:
        value, error = (float(getattr(estimate, name)[-1]) for name in (average, f"{average}_error"))
        last = estimate.k[-1]
        return {"value": _finite(value), "error": _finite(error), "from": last, "to": last, "change": None}
    return {"value": flat.value, "error": flat.error, "from": flat.first, "to": flat.last, "change": flat.change}


def of_two_nn(estimate: TwoNN) -> dict[str, Any]:
    """TwoNN's estimates as JSON can hold them; what is infinite is `None`."""
    names = ("fit", "fit_error", "likelihood", "likelihood_error", "points", "discarded")
    return {name: _finite(getattr(estimate, name)) for name in names}


def _finite(value: Any) -> Any:
    return value if math.isfinite(value) else None


def dimension_text(findings: Mapping[str, Any]) -> str:
    """The same as text; `findings` is what `gantk intrinsic-dim --json` prints."""
    lines = [_head(findings)]
    if "mle" in findings:
        lines += ["", "maximum likelihood (Levina & Bickel 2004)", *_mle(findings["mle"])]
    if "twonn" in findings:
        lines += ["", "two nearest neighbours (Facco et al. 2017)", *_two_nn(findings["twonn"])]
    if (greatest := _greatest(findings)) is not None:
        lines += [
            "",
            "± is a standard error over points: it takes them for independent, though they share neighbours, and knows",
            "nothing of bias.",
            "",
            *_meaning(greatest),
        ]
    return "\n".join(lines)


def _head(findings: Mapping[str, Any]) -> str:
    count, dropped = findings["points"], findings["duplicates"]
    head = f"{findings['data']}: {count:,} points of {' × '.join(map(str, findings['shape']))} numbers"
    if dropped:
        head += f"; {dropped:,} more equal one of these in every number and {'is' if dropped == 1 else 'are'} left out"
    if near := findings["near_duplicates"]:
        verbs = ("differs", "is") if near == 1 else ("differ", "are")
        head += f"; {near:,} more {verbs[0]} from these by rounding error only and {verbs[1]} left out"
    if subset := findings["subset"]:
        head += (
            f"\na random subset of {subset['points']:,} of {subset['of']:,} (seed {subset['seed']}): its points lie "
            "farther apart than the data's,\nso its estimates are not those of the whole"
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
        lines.append(f"  {averages}: no flat part, the curve changes by more than {FLAT:.0%} even there; read a range")
    curve = found["curve"]
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000, len(curve)) if len(curve) <= ROWS * step)
    rows = [
        (f"  {row['k']}", _value(row, "mean", "mean_error"), _value(row, "harmonic", "harmonic_error"))
        for row in curve
        if row["k"] % step == 0 or row in (curve[0], curve[-1])
    ]
    lines += ["", table(rows, ("  k", "mean", "harmonic mean"))]
    return lines + _infinite(curve)


def _infinite(curve: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the mean is infinite, and which estimates remain."""
    rows = [row for row in curve if row["infinite"]]
    if not rows:
        return []
    count = max(row["infinite"] for row in rows)
    # The first k distances are equal wherever more are, so it is the smallest k that are infinite.
    until = f"up to k = {rows[-1]['k']}, " if len(rows) < len(curve) else ""
    line = f"  {until}at {count:,} points all k distances are equal: their estimate is infinite"
    if all(row["harmonic"] is None for row in rows):
        return [f"{line}, and so are", "  both averages: such distances tell no dimension"]
    return [f"{line}, and so is the mean;", "  go by the harmonic mean" + (" there" if until else "")]


def _where(reading: Mapping[str, Any]) -> str:
    if reading["change"] is None:
        return f"at k = {reading['to']}"
    change = f"{reading['change']:.1%}"
    return f"over k = {reading['from']} to {reading['to']}, where the curve is flattest: it changes by {change}"


def _two_nn(found: Mapping[str, Any]) -> list[str]:
    used = f"the {found['discarded']:,} greatest of {found['points']:,} ratios are left out"
    rows = [
        ("  straight line (the paper's)", _value(found, "fit", "fit_error"), used),
        ("  maximum likelihood", _value(found, "likelihood", "likelihood_error"), ""),
    ]
    return [table(rows)]


def _value(found: Mapping[str, Any], value: str, error: str) -> str:
    """A value with as many digits as its error gives meaning to."""
    if found[value] is None:
        return "infinite"
    if found[error] is None:
        return f"{found[value]:.4g}"
    digits = min(6, max(0, 1 - math.floor(math.log10(found[error])))) if found[error] > 0 else 4
    return f"{found[value]:.{digits}f} ± {found[error]:.{digits}f}"


def _greatest(findings: Mapping[str, Any]) -> float | None:
    """The greatest of the main estimates; none if all are infinite."""
    mle, two_nn = findings.get("mle"), findings.get("twonn")
    values = [mle[name]["value"] for name in ("mean", "harmonic")] if mle else []
    values += [two_nn[name] for name in ("fit", "likelihood")] if two_nn else []
    return max((value for value in values if value is not None), default=None)


def _meaning(greatest: float) -> list[str]:
    entry = recipe_spec(DEFAULT_RECIPE)["noise"]
    name, default = bare_name(entry), construct("noise", entry).dim
    if greatest > default:
        enough = math.ceil(greatest / NOISE_STEP) * NOISE_STEP
        advice = f"too small for the greatest reading above,\n{greatest:.4g}: take --noise {name}:dim={enough}."
    else:
        advice = f"no less than the greatest reading\nabove, {greatest:.4g}; another size is --noise NAME:dim=…."
    return [
        "For the noise: DE-GAN's paper (section III) holds that with fewer numbers than this a generator cannot reach",
        "all of the data, which is mode collapse, and that far too many spoil its images; it takes 128, where its",
        f"Table I has 11.6 to 13.7. gantk's default, {name} noise of {default}, is {advice}",
    ]


def curve(estimate: LevinaBickel, title: str) -> Figure:
    """A figure of its own with `draw_curve` in it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    draw_curve(axes, estimate)
    axes.set_title(title)
    axes.legend()
    return figure


def draw_curve(axes: Axes, estimate: LevinaBickel) -> None:
    """Both averages over k with their standard errors, and where the mean is flattest."""
    names: dict[Average, str] = {"mean": "mean over points, as in the paper", "harmonic": "harmonic mean"}
    for index, (name, label) in enumerate(names.items()):
        values, error = _drawn(getattr(estimate, name)), _drawn(getattr(estimate, f"{name}_error"))
        axes.plot(estimate.k, values, color=f"C{index}", label=label, marker="." if len(estimate.k) < 30 else "")
        axes.fill_between(estimate.k, values - error, values + error, color=f"C{index}", alpha=0.25, linewidth=0)
    reading = _reading(estimate, "mean")
    if reading["change"] is not None:
        label = f"flattest: {reading['value']:.1f} over k = {reading['from']} to {reading['to']}"
        axes.hlines(reading["value"], reading["from"], reading["to"], color="0.3", linestyle="--", label=label)
    axes.set(xlabel="k, neighbours of each point", ylabel="estimated intrinsic dimension")
    axes.grid(alpha=0.3)


def _drawn(values: Tensor) -> Tensor:
    """NaN is a gap in a line; infinity is a warning."""
    return torch.where(values.isfinite(), values, torch.nan)
