"""Every test of data sources has a cache of its own and no data root but the one that it names."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "data_root" in request.fixturenames:
        request.getfixturevalue("data_root")
    monkeypatch.delenv("GANTK_DATA", raising=False)
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")  # the loopback server is reached directly
