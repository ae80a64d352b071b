"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets: GANTK_DATA, else `shared/data` beside the repository; without it the test skips."""
    if given := os.environ.get("GANTK_DATA"):
        return Path(given)
    beside = Path(__file__).parents[2] / "shared" / "data"
    if not beside.is_dir():
        pytest.skip("no real data: set GANTK_DATA to a folder with mnist/, fashion-mnist/ and cifar10-jpeg/")
    return beside
