"""Weights of half or double precision are for sampling; training says so before it makes a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import gantk
from gantk.errors import UsageError

IMAGES = np.zeros((8, 1, 8, 8), np.uint8)


@pytest.mark.parametrize("kind", ["double", "half", "bfloat16"])
def test_only_float32_is_trained(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = gantk.build("gan", data=IMAGES)
    getattr(model, kind)()
    with pytest.raises(UsageError, match=r"^this model's weights are \w+16|^this model's weights are float64"):
        gantk.train(model)
    assert not list(tmp_path.iterdir())


def test_without_values_nothing_is_drawn() -> None:
    model = gantk.build("gan", data=IMAGES)
    with pytest.raises(UsageError, match="has no values"):
        model.generate(torch.zeros(2, model.noise_dim, device="meta"))
    with pytest.raises(UsageError, match="has no values"):
        model.to("meta").generate(torch.zeros(2, model.noise_dim))
