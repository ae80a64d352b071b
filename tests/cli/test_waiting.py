"""Threads of a command sleep while they wait where other programs are at work, and only there."""

from __future__ import annotations

import os

import pytest

from gantk.cli.waiting import choose_waiting


@pytest.mark.parametrize(
    ("load", "cores", "asked", "policy"),
    [
        (0.1, 2, {}, None),
        (0.7, 2, {}, "PASSIVE"),
        (2.0, 64, {}, None),
        (9.0, 64, {}, "PASSIVE"),
        (2.0, 2, {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        (2.0, 2, {"GOMP_SPINCOUNT": "5"}, None),
        (None, 2, {}, "PASSIVE"),
    ],
)
def test_threads_sleep_beside_other_programs(
    monkeypatch: pytest.MonkeyPatch, load: float | None, cores: int, asked: dict[str, str], policy: str | None
) -> None:
    def average() -> tuple[float, float, float]:
        if load is None:
            raise OSError
        return load, 0.0, 0.0

    monkeypatch.setattr(os, "environ", {"PATH": "x", **asked})
    monkeypatch.setattr(os, "getloadavg", average, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    choose_waiting()
    assert os.environ == {"PATH": "x", **asked, **({"OMP_WAIT_POLICY": policy} if policy else {})}


def test_without_a_known_load_they_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.delattr(os, "getloadavg", raising=False)
    choose_waiting()
    assert os.environ == {"OMP_WAIT_POLICY": "PASSIVE"}
