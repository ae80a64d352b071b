"""The lines of a run's log, as they are read."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["columns", "log_lines", "read_log"]


def read_log(file: Path) -> list[dict[str, Any]]:
    """The lines of a run's `log.jsonl`, without those that cannot be read."""
    return log_lines(file)[0]


def log_lines(file: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines of a run's `log.jsonl` that can be read, and the number of those that cannot."""
    if not file.exists():
        return [], 0
    lines = file.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    found = [_entry(line) for line in lines if line.strip()]
    entries = [entry for entry in found if entry is not None]
    return entries, len(found) - len(entries)


def _entry(line: bytes) -> dict[str, Any] | None:
    """A line of the log; `None` if it is incomplete or damaged."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):  # more brackets than Python reads
        return None
    if not isinstance(entry, dict) or type(entry.get("step")) is not int:
        return None
    values = entry.get("values")
    readable = isinstance(values, dict) and all(isinstance(value, (int, float)) for value in values.values())
    return entry if readable else None


def columns(entries: Sequence[Mapping[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    """A log's lines as columns, with one row per step; NaN if a row has no such value."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in entries:
        figures = {name: value for name, value in entry.items() if name != "values"}
        rows[entry["step"]] = rows.get(entry["step"], {}) | figures | entry.get("values", {})
    names = dict.fromkeys(name for row in rows.values() for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows.values()]) for name in names}
