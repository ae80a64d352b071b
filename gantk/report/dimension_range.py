"""The estimate of the intrinsic dimension with its range and the recommended noise, as text and JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gantk.building.construct import construct
from gantk.building.presets import DEFAULT_RECIPE, recipe_spec
from gantk.building.spec import bare_name
from gantk.measures.dimension_range import DimensionRange
from gantk.measures.near_duplicates import neighborhood
from gantk.report.table import table

__all__ = ["of_range", "range_text"]

AGREE, ROUGH = 1.5, 3.0
"""Maximum / minimum estimate up to which estimates agree, and up to which they are rough."""

WIDTH = 100


def of_range(found: DimensionRange) -> dict[str, Any]:
    """The `estimate` entry of the JSON."""
    return {**asdict(found), "spread": dict(found.spread), "noise": found.noise}


def range_text(findings: Mapping[str, Any]) -> list[str]:
    """Lines about the estimate, near-duplicates and noise; none if every estimate is infinite."""
    found = findings.get("estimate")
    if found is None:
        return []
    value = _number(found["value"])
    head = f"intrinsic dimension: about {value} ({_between(found['low'], found['high'])})"
    lines = ["", head, table([_row(name, interval, findings) for name, interval in found["spread"].items()])]
    return [*lines, *_wrapped(_agreement(found)), *_near(findings, found), "", *_noise(found)]


def _row(name: str, interval: tuple[float, float], findings: Mapping[str, Any]) -> tuple[str, str]:
    used = {"mle": "harmonic mean, unbiased mean", "twonn": "TwoNN"}
    over = {
        "estimator": "estimators: " + ", ".join(used[each] for each in used if each in findings),
        "k": "numbers of neighbors k, harmonic and unbiased mean",
        "points": "numbers of points: all, and half of them",
    }
    return f"  {_between(*interval)}", f"over {over[name]}"


def _agreement(found: Mapping[str, Any]) -> str:
    factor = found["high"] / found["low"]
    if factor <= AGREE:
        return f"The estimates agree within a factor of {factor:.2g}."
    if factor <= ROUGH:
        return f"The estimates differ by a factor of {factor:.2g}: the value is rough."
    return (
        f"The estimates differ by a factor of {factor:.2g}: they show an order of magnitude only. The data does not "
        "have one dimension at all scales, or there are too few points."
    )


def _near(findings: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    count, of = found["near_duplicates"], findings["points"]
    if not neighborhood(of):
        return []
    if not found["left_out"]:
        much = f"{count:,} of {of:,} points, too few to change the estimate" if count else "none found"
        return ["", f"near-duplicates: {much}"]
    text = (
        f"near-duplicates: {count:,} of {of:,} points ({_percent(count / of)}) are much closer to another point than "
        "the distances around them explain, as a drawing in several colors or frames of one scene are. The estimate "
        "leaves out all but one of each group."
    )
    if found["with_them"] is not None:
        text += (
            f" With them, estimates are {_between(*found['with_them'])}: the nearest neighbors only show how copies "
            "differ from each other."
        )
    return ["", *_wrapped(text)]


def _noise(found: Mapping[str, Any]) -> list[str]:
    entry, enough = recipe_spec(DEFAULT_RECIPE)["noise"], found["noise"]
    name, default = bare_name(entry), construct("noise", entry).dim
    verdict = "is enough" if default >= enough else f"is too small: use --noise {name}:dim={enough}"
    text = (
        "A generator whose noise has fewer dimensions than the data cannot cover all of it (mode collapse), and far "
        f"more dimensions degrade its images, according to DE-GAN's paper (section III). {enough} is the greatest "
        "estimate, rounded up, because estimates are too small rather than too large. The paper uses 128 for estimates "
        f"of 11.6 to 13.7. gantk's default, {name} noise of dimension {default}, {verdict}."
    )
    return [f"noise: {enough} dimension{'' if enough == 1 else 's'} or more", *_wrapped(text)]


def _between(low: float, high: float) -> str:
    one, other = _number(low), _number(high)
    return one if one == other else f"{one} to {other}"


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)
