"""What a run has logged, step by step."""

from __future__ import annotations

import json
from pathlib import Path


def logged(run: Path) -> list[dict[str, float]]:
    """The values of every step."""
    found: dict[int, dict[str, float]] = {}
    for line in (run / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        found.setdefault(entry["step"], {}).update(entry["values"])
    return [found[step] for step in sorted(found)]


def column(run: Path, ending: str) -> list[float]:
    """The values of the one logged name that ends so."""
    names = {name for values in logged(run) for name in values if name.endswith(ending)}
    assert len(names) == 1, names
    return [values[name] for values in logged(run) for name in names if name in values]
