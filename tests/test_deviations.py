"""Every preset of a paper is listed in a table of docs/papers, with what it does differently and why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gantk import toml
from gantk.building.construct import part_class
from gantk.options import read_options
from gantk.report.plugin import describe

ROOT = Path(__file__).parents[1]
HEADING = re.compile(r"^#+ Where the presets differ from the paper$", re.MULTILINE)
PRESETS = sorted(path.stem for path in (ROOT / "plugins").glob("*/presets/*.toml"))

Row = tuple[str, ...]
"""Presets, setting, in the paper, in the preset, why."""


def _rows(page: Path) -> list[Row]:
    """The rows of the tables below the heading, each up to the next heading."""
    found = []
    for section in HEADING.split(page.read_text(encoding="utf-8"))[1:]:
        own = re.split(r"^#", section, maxsplit=1, flags=re.MULTILINE)[0]
        lines = [line for line in own.splitlines() if line.startswith("| `")]
        found += [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]
    return found


ROWS = [(page.stem, row) for page in sorted((ROOT / "docs" / "papers").glob("*.md")) for row in _rows(page)]
NAMED = re.compile(r"`([^`]+)`")


def test_every_preset_is_in_one_table() -> None:
    pages: dict[str, set[str]] = {name: set() for name in PRESETS}
    for page, row in ROWS:
        for name in NAMED.findall(row[0]):
            assert name in pages, f"docs/papers/{page}.md: there is no preset {name}"
            pages[name].add(page)
    assert {name: len(found) for name, found in pages.items()} == dict.fromkeys(PRESETS, 1)


@pytest.mark.parametrize(("page", "row"), ROWS, ids=lambda value: value if isinstance(value, str) else value[1])
def test_every_row_gives_a_reason(page: str, row: Row) -> None:
    assert len(row) == 5
    assert all(row)


CHECKED = [
    (preset, path, row[3])
    for _, row in ROWS
    for preset in NAMED.findall(row[0])
    for path in NAMED.findall(row[1])
    if row[1].startswith("`") and "." in path
]


@pytest.mark.parametrize(("preset", "path", "written"), CHECKED)
def test_values_are_those_of_the_preset(preset: str, path: str, written: str) -> None:
    assert _value(preset, path) == _read(written.strip("`"))


def _value(preset: str, path: str) -> Any:
    """What a preset sets, or else the default of the part's option."""
    values = describe("recipe", preset)["values"]
    losses = {table["plugin"].rpartition(":")[2]: table for table in values.get("loss", [])}
    found: Any = {**values, "loss": losses}
    *above, last = path.split(".")
    for name in above:
        found = found.get(name, {})
    if last in found or "plugin" not in found:
        return found[last]
    return read_options(part_class(above[0], found["plugin"]))[last].default


def _read(text: str) -> Any:
    """A number, a boolean, or the text itself."""
    try:
        return toml.loads(f"value = {text}")["value"]
    except ValueError:
        return text
