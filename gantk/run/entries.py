"""The lines of a run's log, as they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gantk import json_text
from gantk.errors import RunError
from gantk.files import open_file

__all__ = ["columns", "log_lines", "read_log"]

LARGEST = 1 << 28
"""Bytes of a log, at most."""
LONGEST = 1 << 20
"""Bytes of a line, at most."""


def read_log(file: Path) -> list[dict[str, Any]]:
    """The lines of a run's `log.jsonl`, without those that cannot be read."""
    return log_lines(file)[0]


def log_lines(file: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines of a run's `log.jsonl` that can be read, and the number of those that cannot.

    Raises:
        RunError: it is no file, cannot be read, or is larger than any log.
    """
    entries, lost = [], 0
    try:
        with open_file(file) as lines:
            if (size := os.fstat(lines.fileno()).st_size) > LARGEST:
                raise RunError(f"{file} has {size} bytes; expected at most {LARGEST}: move it away.")
            while line := lines.readline(LONGEST):
                if line.strip():
                    entry = _entry(line)
                    entries += [entry] if entry is not None else []
                    lost += entry is None
                while len(line) == LONGEST and not line.endswith(b"\n"):
                    line = lines.readline(LONGEST)  # the rest of a line that is too long
    except (FileNotFoundError, NotADirectoryError):
        return [], 0
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror or error}.") from error
    return entries, lost


def _entry(line: bytes) -> dict[str, Any] | None:
    """A line of the log; `None` if it is incomplete or damaged."""
    try:
        entry = json_text.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or type(entry.get("step")) is not int or not 0 <= entry["step"] < 1 << 63:
        return None
    values = entry.get("values")
    if not isinstance(values, dict) or not all(isinstance(value, (int, float)) for value in values.values()):
        return None
    others = (value for name, value in entry.items() if name != "values")
    return entry if all(isinstance(value, (int, float, str)) for value in others) else None


def columns(entries: Sequence[Mapping[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    """A log's lines as columns, with one row per step; NaN if a row has no such value."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in entries:
        figures = {name: value for name, value in entry.items() if name != "values"}
        rows[entry["step"]] = rows.get(entry["step"], {}) | figures | entry.get("values", {})
    names = dict.fromkeys(name for row in rows.values() for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows.values()]) for name in names}
