"""gantk.load: where a loaded model is, and what is said where it cannot be there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import gantk
from gantk import registry
from gantk.errors import UsageError
from gantk_classic.recipe import Game

IMAGES = np.zeros((8, 1, 8, 8), np.uint8)
SMALL = {"generator": "gan:widths=[4]", "discriminator": "gan:widths=[4]"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    model = gantk.build("gan", data=IMAGES, **SMALL)
    saved = model.save(tmp_path / "run")
    assert saved.steps() == [0]
    return saved.path


def test_a_model_is_loaded_to_a_device(run: Path) -> None:
    assert gantk.load(run).device == torch.device("cpu")
    assert gantk.load(run, device="cpu").device == torch.device("cpu")
    assert {each.device.type for each in gantk.load(run, device=torch.device("meta")).parameters()} == {"meta"}


def test_a_recipe_of_ones_own_is_handed_over_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(Game):
        """The usual game."""

    monkeypatch.setattr(registry, "_given", {})
    model = gantk.build(Mine, data=IMAGES, noise="gaussian:dim=2", loss="minimax", **SMALL)
    run = model.save(tmp_path / "run")
    monkeypatch.setattr(registry, "_given", {})
    assert isinstance(gantk.load(run, recipe=Mine).built.recipe, Mine)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_said_in_one_line(run: Path, device: str) -> None:
    with pytest.raises(UsageError, match=rf"^device '{device}' is not available on this machine: \w.*[^.]\.$") as error:
        gantk.load(run, device=device)
    assert "\n" not in str(error.value)
