"""Conditions of every kind, read in every way, train in every pair with recipes, losses and refiners, and resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from covering import Combination, Pair, covering, every_pair
from small import OWN, TINY, small_parts
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.data import ArraySource
from gantk.errors import FitError

FACTORS: Mapping[str, tuple[str, ...]] = {
    "condition": ("class", "vector"),
    "read": ("joined", "projection", "auxiliary"),
    "modulated": ("", "condition", "noise"),
    "recipe": ("dcgan", "aegan", "progan", "sagan"),
    "loss": (OWN, "hinge", "code"),
    "refiner": ("", "denoiser"),
}
"""How a condition is read: by the discriminator, and in the generator's normalizations, computed from what."""

REFUSED: Mapping[str, tuple[str, set[str], str, set[str]]] = {
    "its class head needs data with classes": ("condition", {"vector"}, "read", {"auxiliary"}),
    "needs for its game on embeddings": ("modulated", {"condition", "noise"}, "recipe", {"aegan"}),
    "has no normalization to modulate": ("modulated", {"condition", "noise"}, "recipe", {"progan"}),
}
"""What the error says of pairs that do not go together."""


def reason(pair: Pair) -> str | None:
    (a, x), (b, y) = pair
    held = (
        says
        for says, (one, ones, other, others) in REFUSED.items()
        if (a, b) == (one, other) and x in ones and y in others
    )
    return next(held, None)


COMBINATIONS, IMPOSSIBLE = covering(FACTORS, lambda pair: reason(pair) is None)


def written(combination: Combination) -> str:
    return ",".join(value.replace(" ", "-") or "-" for value in combination.values())


def pictures(condition: str) -> ArraySource:
    """24 random gray images of 16×18 pixels, of two classes or with vectors of three numbers."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 1, 16, 18), dtype=np.uint8)
    labels = np.arange(24) % 2 if condition == "class" else rng.random((24, 3), dtype=np.float32)
    return ArraySource(pixels, labels)


def built(combination: Combination, data: ArraySource) -> gantk.Model:
    parts: dict[str, Any] = small_parts({"recipe": combination["recipe"]})
    if (read := combination["read"]) != "joined":
        parts["discriminator"] = {"plugin": read, "of": parts["discriminator"]}
    if by := combination["modulated"]:
        parts["generator"] = {"plugin": "modulated", "of": parts["generator"], "by": by, "hidden": 4}
    losses = [] if combination["loss"] == OWN else [combination["loss"]]
    losses += ["auxiliary"] if read == "auxiliary" else []
    if combination["refiner"]:
        parts["refiner"] = TINY["refiner"][combination["refiner"]]
    parts |= {"condition": combination["condition"], **({"loss": losses} if losses else {})}
    return gantk.build(combination["recipe"], data=data, settings=SHORT, **parts)


def test_every_other_pair_is_held() -> None:
    assert not IMPOSSIBLE
    assert len(COMBINATIONS) <= 24


@pytest.mark.slow
@pytest.mark.parametrize("combination", COMBINATIONS, ids=written)
def test_every_pair_trains(combination: Combination, tmp_path: Path) -> None:
    data = pictures(combination["condition"])
    goes_the_whole_way(built(combination, data), data, tmp_path)


REFUSED_PAIRS = [(pair, says) for says, pair in {reason(pair): pair for pair in every_pair(FACTORS)}.items() if says]
"""A pair for each reason: each build that is refused tries what to advise, which takes a while."""


@pytest.mark.parametrize(("pair", "says"), REFUSED_PAIRS, ids=lambda v: v if isinstance(v, str) else written(dict(v)))
def test_what_is_refused_says_why(pair: Pair, says: str) -> None:
    usual = {"condition": "class", "read": "joined", "modulated": "", "recipe": "dcgan", "loss": OWN, "refiner": ""}
    combination = {**usual, **dict(pair)}
    with pytest.raises(FitError) as caught:
        built(combination, pictures(combination["condition"]))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
