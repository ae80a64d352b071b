"""What presets say of their trainings is what the gallery's results say."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gantk
from gantk import toml

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture
def gallery(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not (BENCH / "results").is_dir():
        pytest.skip("needs bench/results, which lies in the repository")
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("gallery")


def test_scores_of_presets_are_those_of_the_gallery(gallery: Any) -> None:
    for preset, text in gallery.scored().items():
        assert preset.read_text(encoding="utf-8") == text, f"{preset}: run python bench/gallery.py page"
        assert toml.loads(text)["scored"].endswith("docs/gallery")


def test_a_model_does_not_inherit_the_score_of_its_preset() -> None:
    small = "r3gan:width=4,largest=4,blocks=1"
    model = gantk.build("r3gan", data=np.zeros((4, 1, 8, 8), np.uint8), generator=small, discriminator=small)
    assert "scored" not in model.built.spec
