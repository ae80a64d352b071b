"""Modern games, penalties, regularizers and augmentations train in every pair, in several recipes, and resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from covering import Combination, covering
from small import small_parts
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.data import ArraySource

FACTORS: Mapping[str, tuple[str, ...]] = {
    "recipe": ("dcgan", "aegan", "progan"),
    "game": ("hinge", "least-squares", "relativistic"),
    "penalty": ("r1:every=2", "r2", "dragan"),
    "term": ("consistency", "diversity", "feature-matching"),
    "addon": ("diffaugment", "ada:images=20", "instance-noise"),
    "condition": ("", "class"),
}

COMBINATIONS, _ = covering(FACTORS, lambda pair: True)


def written(combination: Combination) -> str:
    return ",".join(value or "-" for value in combination.values())


def test_the_combinations_are_few() -> None:
    assert len(COMBINATIONS) <= 16


@pytest.mark.slow
@pytest.mark.parametrize("combination", COMBINATIONS, ids=written)
def test_every_pair_trains(combination: Combination, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    recipe = combination["recipe"]
    losses = [combination[name] for name in ("game", "penalty", "term")]
    more = {name: combination[name] for name in ("addon", "condition") if combination[name]}
    parts = {**small_parts({"recipe": recipe}), "loss": losses, **more}
    goes_the_whole_way(gantk.build(recipe, data=tiny_pictures, settings=SHORT, **parts), tiny_pictures, tmp_path)
