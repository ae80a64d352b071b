"""Lines of a log that can be read, and those that cannot: a kill, an editor or another program left them."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from gantk.errors import RunError
from gantk.run import entries
from gantk.run.entries import log_lines, read_log

LINE = {"step": 1, "stage": "game", "seconds": 0.5, "values": {"generator/loss": 0.5, "k": 1}}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def changed(**values: Any) -> dict[str, Any]:
    return {**LINE, **values}


@pytest.mark.parametrize(
    "odd",
    [
        3,
        [],
        {"values": {}},
        {"step": 1},
        changed(step=-1),
        changed(step=2**63),
        changed(step=1.0),
        changed(step=True),
        changed(step="1"),
        changed(values=[]),
        changed(values={"a": 1.0, "b": "x"}),
        changed(values={"a": 1.0, "b": None}),
        changed(other=[]),
        changed(other=None),
    ],
    ids=json.dumps,
)
def test_what_is_no_line_of_a_log_is_left_out_and_counted(odd: object, tmp_path: Path) -> None:
    assert log_lines(written(tmp_path / "log", LINE, odd, LINE)) == ([LINE, LINE], 1)


@pytest.mark.parametrize("step", [0, 1, 2**63 - 1])
def test_the_steps_of_lines(step: int, tmp_path: Path) -> None:
    assert read_log(written(tmp_path / "log", changed(step=step))) == [changed(step=step)]


def test_empty_lines_are_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "log", LINE, LINE)
    path.write_bytes(b"\n  \n" + path.read_bytes().replace(b"\n", b"\n\n"))
    assert log_lines(path) == ([LINE, LINE], 0)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_byte_order_mark_is_no_part_of_the_first_line(mark: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "log", LINE, LINE)
    path.write_bytes(mark + path.read_bytes())
    assert log_lines(path) == ([LINE, LINE], 0)


@pytest.mark.parametrize("length", [99, 100, 101, 199, 200, 201, 1000])
def test_a_line_too_long_is_one_that_cannot_be_read(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "LONGEST", 100)
    path = written(tmp_path / "log", LINE, LINE)
    first, second = path.read_bytes().splitlines(keepends=True)
    assert len(first) < 100
    path.write_bytes(first + b"x" * (length - 1) + b"\n" + second)
    assert log_lines(path) == ([LINE, LINE], 1)


def test_a_log_larger_than_any_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "log", LINE)
    monkeypatch.setattr(entries, "LARGEST", path.stat().st_size)
    assert read_log(path) == [LINE]
    monkeypatch.setattr(entries, "LARGEST", path.stat().st_size - 1)
    with pytest.raises(RunError, match=r"log has \d+ bytes; expected at most \d+: move it away"):
        read_log(path)


def test_where_there_is_no_log_there_are_no_lines(tmp_path: Path) -> None:
    assert log_lines(tmp_path / "log") == ([], 0)
    written(tmp_path / "file")
    assert log_lines(tmp_path / "file" / "log") == ([], 0)
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match=r"folder cannot be read: \w"):
        read_log(tmp_path / "folder")
