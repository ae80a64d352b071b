"""The usual game: who plays, and noise on the real images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import gantk
from gantk.data import ArraySource
from gantk.errors import OptionError
from gantk.schedule import Batch
from gantk_classic.recipe import Game

SMALL = {"noise": "gaussian:dim=4", "generator": "gan:widths=[8]", "discriminator": "gan:widths=[8]"}


def built(recipe: str) -> gantk.Model:
    data = ArraySource(np.zeros((8, 1, 12, 12), dtype=np.uint8))
    return gantk.build(recipe, data=data, loss="nonsaturating", **SMALL)


def test_real_images_get_noise_of_the_chosen_deviation_once_a_batch() -> None:
    model = built("game:image_noise=0.3")
    (stage,) = model.built.stages
    torch.manual_seed(0)
    real = torch.rand(64, 1, 12, 12) * 2 - 1
    step = model.step(Batch(real), stage.values)
    step.begin(["discriminator"], ["generator"])
    added = step["noisy"] - real
    assert added.mean().item() == pytest.approx(0, abs=0.02)
    assert added.std().item() == pytest.approx(0.3, rel=0.03)
    assert torch.equal(step["real"], real), "what others read stays clean"
    first = step["noisy"]
    step.end()
    step.begin(["generator"])
    assert torch.equal(step["noisy"], first), "both players see the same images"


@pytest.mark.parametrize(("recipe", "seen"), [("game:image_noise=0.3", "noisy"), ("game", "real")])
def test_both_players_see_the_noisy_images_where_there_are_any(recipe: str, seen: str) -> None:
    (stage,) = built(recipe).built.stages
    assert [(player.name, player.moves) for player in stage.players] == [
        ("discriminator", ("discriminator",)),
        ("generator", ("generator",)),
    ]
    assert {player.objective.binding.real for player in stage.players} == {seen}  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_a_deviation_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(OptionError, match="0 or more and finite"):
        Game(image_noise=value)
