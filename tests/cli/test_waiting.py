"""Threads of a command sleep while they wait where other programs are at work, and only there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gantk.cli import waiting


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {"PATH": "x"}
    monkeypatch.setattr(os, "environ", found)
    return found


@pytest.mark.parametrize(
    ("running", "cores", "policy"),
    [
        ((0, 0, 0), 2, None),
        ((1, 1, 1), 2, "PASSIVE"),
        ((1, 0, 2), 2, None),  # programs that come and go
        ((8, 3, 5), 64, None),
        ((9, 12, 10), 64, "PASSIVE"),
    ],
)
def test_threads_sleep_beside_other_programs(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    running: tuple[int, ...],
    cores: int,
    policy: str | None,
) -> None:
    looks: Iterator[int] = iter(running)
    monkeypatch.setattr(waiting, "_others", lambda: next(looks))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    waiting.choose_waiting()
    assert environment.get("OMP_WAIT_POLICY") == policy


@pytest.mark.parametrize(("load", "policy"), [(0.1, None), (1.5, "PASSIVE"), (None, "PASSIVE")])
def test_where_running_threads_are_not_counted_the_load_decides(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], load: float | None, policy: str | None
) -> None:
    def nowhere() -> int:
        raise FileNotFoundError

    monkeypatch.setattr(waiting, "_others", nowhere)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    if load is None:
        monkeypatch.delattr(os, "getloadavg")
    waiting.choose_waiting()
    assert environment.get("OMP_WAIT_POLICY") == policy


@pytest.mark.parametrize("said", [{"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "5"}])
def test_what_the_environment_says_stays(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: dict[str, str]
) -> None:
    environment |= said
    monkeypatch.setattr(waiting, "_others", lambda: 9)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    waiting.choose_waiting()
    assert environment.get("OMP_WAIT_POLICY") == said.get("OMP_WAIT_POLICY")


@pytest.mark.skipif(not os.path.exists("/proc/loadavg"), reason="the system does not count running threads")
def test_others_are_counted() -> None:
    assert waiting._others() >= 0
