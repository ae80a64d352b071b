"""Shared by the tests of training."""

from __future__ import annotations

import pytest
from clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of `time.monotonic`."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock
