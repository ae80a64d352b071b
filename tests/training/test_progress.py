"""What a person sees of training: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from gantk.training.progress import Bar, Lines, Silent, clock, figures, for_stream

TERMS = {
    "discriminator/minimax": 0.41236,
    "discriminator/gradient_norm": 7.0,
    "generator/minimax": 1.8734,
    "generator/hidden": 2.0,
    "generator/state/k": 0.3,
    "distance": 12.0,
}


def test_figures_are_the_terms_of_each_player() -> None:
    assert figures(TERMS) == "discriminator 0.4124  generator 1.873 + 2  distance 12"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00"), (59.6, "01:00"), (123, "02:03"), (3599, "59:59"), (3600, "1:00:00"), (37_723, "10:28:43")],
)
def test_a_clock_has_hours_where_there_are_any(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_lines_say_where_training_stands() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.start("game", 133, 6, 8)
    lines.step()
    lines.report({"generator/minimax": 1.5}, 12.6, 61)
    lines.finish()
    lines.start("last", 1, 0, 1)
    assert stream.getvalue().splitlines() == [
        "game: 133 steps of 8 images, 6 done",
        "game 7/133  generator 1.5  13 images/s  01:01 left",
        "last: 1 step of 1 image",
    ]


def test_reading_is_said_once_each_time() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for done in (0.0, 0.5, 1.0, 0.25, 1.0):
        lines.reading(done)
    assert stream.getvalue().splitlines() == ["reading images"] * 2


def test_a_line_is_there_as_soon_as_it_is_said() -> None:
    pipe = io.BytesIO()
    stream = io.TextIOWrapper(pipe)
    Lines(stream).say("now")
    assert pipe.getvalue() == b"now\n"


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.reading(0.5)
    silent.start("game", 3, 0, 8)
    silent.step()
    silent.report({"generator/minimax": 1.5}, 1.0, 1.0)
    silent.say("nothing")
    silent.finish()
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, Callable[[], str]]]:
    """A terminal, and what was written to it."""
    above, below = os.openpty()
    os.set_blocking(above, False)
    written = ""

    def read() -> str:
        nonlocal written
        while True:
            try:
                written += os.read(above, 65536).decode()
            except BlockingIOError:
                return written

    with os.fdopen(below, "w") as stream:
        yield stream, read
    os.close(above)


def last_line(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n").rpartition("\n")[2].rpartition("\r")[2].rstrip()


def test_a_bar_where_there_is_a_terminal_and_lines_elsewhere(terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(for_stream(terminal[0]), Bar)
    assert isinstance(for_stream(io.StringIO()), Lines)
    monkeypatch.setattr(sys, "stderr", terminal[0])
    assert isinstance(for_stream(), Bar)


def test_a_bar_counts_images_and_shows_the_figures(terminal) -> None:
    stream, read = terminal
    bar = Bar(stream)
    bar.start("game", 4, 1, 8)
    bar.step()
    bar.step()
    bar.report({"generator/minimax": 1.5}, 1.0, 1.0)
    bar.say("a word between")
    bar.finish()
    line = last_line(read())
    assert line.startswith("game:  75%|")
    assert "| 24.0/32.0 [" in line
    assert re.search(r"[\dkM?] images/s", line)
    assert line.endswith(", generator 1.5]")
    assert "a word between" in read()
    bar.step()
    bar.report({}, 1.0, 1.0)
    bar.finish()
    assert last_line(read()) == line, "after its stage a bar stands still"
    bar.start("long", 1000, 1000, 1600)
    bar.finish()
    assert "| 1.60M/1.60M [" in last_line(read())


def test_a_bar_of_reading_ends_with_the_last_image(terminal) -> None:
    stream, read = terminal
    bar = Bar(stream)
    bar.reading(0.25)
    bar.reading(0.5)
    bar.finish()
    assert re.fullmatch(r"reading images:  50%\|.*\| 00:0\d", last_line(read()))
    assert read().count("\n") == 1
    bar.reading(0.75)
    bar.reading(1.0)
    assert last_line(read()).startswith("reading images: 100%|")
    assert read().count("\n") == 2
    bar.reading(0.5)
    bar.finish()
    assert last_line(read()).startswith("reading images:  50%|")


@pytest.mark.parametrize(("columns", "wide"), [(0, 80), (50, 50), (120, 120)])
def test_a_bar_is_as_wide_as_the_terminal_says(terminal, columns: int, wide: int) -> None:
    stream, read = terminal
    fcntl.ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    bar = Bar(stream)
    bar.start("game", 4, 2, 8)
    bar.finish()
    assert wide - 2 <= len(last_line(read())) <= wide


def test_a_stream_that_was_closed_stops_nothing() -> None:
    stream = io.StringIO()
    progress = for_stream(stream)
    progress.start("game", 3, 0, 8)
    stream.close()
    progress.say("this is lost")
    progress.report({"generator/minimax": 1.5}, 12.6, 61)
    assert isinstance(for_stream(stream), Silent)


def test_without_a_stream_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(for_stream(), Silent)
