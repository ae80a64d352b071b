"""gantk.load: where a loaded model is, and what is said where it cannot be there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import gantk
from gantk.errors import UsageError

IMAGES = np.zeros((8, 1, 8, 8), np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    model = gantk.build("gan", data=IMAGES, generator="gan:widths=[4]", discriminator="gan:widths=[4]")
    saved = model.save(tmp_path / "run")
    assert saved.steps() == [0]
    return saved.path


def test_a_model_is_loaded_to_a_device(run: Path) -> None:
    assert gantk.load(run).device == torch.device("cpu")
    assert gantk.load(run, device="cpu").device == torch.device("cpu")
    assert {each.device.type for each in gantk.load(run, device=torch.device("meta")).parameters()} == {"meta"}


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_said_in_one_line(run: Path, device: str) -> None:
    with pytest.raises(UsageError, match=rf"^device '{device}' is not available on this machine: \w.*[^.]\.$") as error:
        gantk.load(run, device=device)
    assert "\n" not in str(error.value)
