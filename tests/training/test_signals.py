"""Ctrl-C and SIGTERM: the first asks training to stop, the second does what it does anywhere else."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gantk.training.signals import stop_on_signals


@pytest.fixture
def terminated() -> Iterator[list[int]]:
    """A handler of SIGTERM that only notes the signal."""
    noted: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: noted.append(number))
    yield noted
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C is not ignored, as it is in what a shell starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_the_first_is_answered_and_the_second_stops(capsys: pytest.CaptureFixture[str]) -> None:
    with stop_on_signals() as stop:
        assert not stop
        assert stop.signal is None
        signal.raise_signal(signal.SIGINT)
        assert stop
        assert stop.signal is signal.SIGINT
        assert capsys.readouterr().err == "gantk: stopping; press Ctrl-C again to stop at once\n"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_each_signal_is_asked_for_again_by_its_name(terminated: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    with stop_on_signals() as stop:
        stop.doing = "saving"
        signal.raise_signal(signal.SIGTERM)
        assert capsys.readouterr().err == "gantk: saving; send SIGTERM again to stop at once\n"
        assert not terminated
        signal.raise_signal(signal.SIGTERM)
        assert terminated == [signal.SIGTERM]


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="this system has no such signals")
@pytest.mark.parametrize("name", ["SIGUSR1", "SIGUSR2"])
def test_what_a_cluster_sends_before_the_time_is_over_stops_as_well(name: str) -> None:
    number = signal.Signals[name]
    with stop_on_signals() as stop:
        signal.raise_signal(number)
        assert stop.signal is number


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signal")
def test_a_closed_terminal_stops_unless_that_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """nohup has SIGHUP ignored. Nothing can be said where the terminal was."""
    usual = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        gone = io.StringIO()
        gone.close()
        monkeypatch.setattr(sys, "stderr", gone)
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.signal is signal.SIGHUP
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.signal is None
    finally:
        signal.signal(signal.SIGHUP, usual)


def test_what_else_is_ignored_stops_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Shells ignore Ctrl-C for what they start in the background, where `kill -INT` asks for a stop."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGINT)
            assert stop.signal is signal.SIGINT
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert capsys.readouterr().err == "gantk: stopping\n", "a second one is ignored, as the shell asked"
    finally:
        signal.signal(signal.SIGINT, before)


def test_afterwards_signals_do_what_they_did(terminated: list[int]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signals():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    with pytest.raises(ValueError, match="failed"), stop_on_signals():
        raise ValueError("failed")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_in_another_thread_signals_stay_as_they_are() -> None:
    found: list[Any] = []

    def work() -> None:
        before = signal.getsignal(signal.SIGINT)
        with stop_on_signals() as stop:
            found.extend([bool(stop), signal.getsignal(signal.SIGINT) is before])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False, True]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Busy(io.StringIO):
    def write(self, text: str) -> int:
        raise RuntimeError("reentrant call")


def test_behind_a_progress_bar_the_answer_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with stop_on_signals():
        signal.raise_signal(signal.SIGINT)
    assert sys.stderr.getvalue() == "\ngantk: stopping; press Ctrl-C again to stop at once\n"


def test_in_the_middle_of_a_line_it_is_answered_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(sys, "stderr", Busy())
    monkeypatch.setattr(os, "write", lambda place, text: written.append((place, text)))
    with stop_on_signals():
        signal.raise_signal(signal.SIGINT)
    assert written == [(2, b"gantk: stopping; press Ctrl-C again to stop at once\n")]


def test_the_answer_does_not_wait_for_a_full_line_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(seen))
    with stop_on_signals():
        signal.raise_signal(signal.SIGINT)
        assert seen.getvalue().startswith(b"gantk: stopping")
