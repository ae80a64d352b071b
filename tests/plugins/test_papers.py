"""The reproductions that gantk brings: every row builds, and every command exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantk.cli.main import COMMANDS, cli
from gantk.construct import part_class
from gantk.registry import plugins
from gantk.reproducing.plan import Plan
from gantk.reproduction import Reproduction, Row, reproduction
from gantk.sweeps.folder import spec_of

NAMES = [plugin.name for plugin in plugins("reproduction") if plugin.package == "gantk"]
SIZES = {"mnist": (28, "L"), "cifar10": (32, "RGB"), "": (32, "RGB")}
"""Data set → the size and the mode of its images; without one, a user gives theirs."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Data set → images of its shape, with classes."""
    found = {}
    for data, (size, mode) in SIZES.items():
        folder = tmp_path_factory.mktemp(data or "own")
        for number in range(8):
            pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), dtype=np.uint8)
            file = folder / str(number % 2) / f"{number}.png"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).convert(mode).save(file)
        found[data] = f"folder:path={folder},size={size},color={'gray' if mode == 'L' else 'rgb'}"
    return found


def read(name: str) -> Reproduction:
    return reproduction(f"gantk:{name}")[1]


def unlike(rows: Iterator[tuple[str, str, Row]]) -> list[tuple[str, str]]:
    """Rows that differ in more than lengths, which other tests vary."""
    found: dict[str, tuple[str, str]] = {}
    for name, row_name, row in rows:
        if row.recipe:
            settings = sorted(each for each in row.settings if not each.startswith("stages.") or ".lr" in each)
            found.setdefault(f"{row.recipe} {dict(row.parts)} {settings} {read(name).data}", (name, row_name))
    return list(found.values())


@pytest.mark.parametrize(
    ("name", "row"), unlike((name, row_name, row) for name in NAMES for row_name, row in read(name).rows.items())
)
@pytest.mark.slow
def test_a_row_builds(name: str, row: str, images: dict[str, str], tmp_path: Path) -> None:
    plugin, what = reproduction(name)
    plan = Plan(plugin, what, tmp_path, True, (0,), images[what.data])  # which has all settings of the table itself
    spec = spec_of(plan.builds({row})[row, 0], ())
    assert spec["data"]["plugin"] == "gantk:folder"


@pytest.mark.parametrize("name", NAMES)
def test_its_figures_and_commands_exist(name: str) -> None:
    what = read(name)
    assert what.differs
    assert what.quick is not None
    for metric in what.metrics:
        part_class("metric", metric)
    if not any(row.command for row in what.rows.values()):
        measured = {column.figure.partition("/")[0] for column in what.columns if not column.stage}
        assert measured <= set(what.metrics)
    if "frechet" in what.metrics and what.extractor == "efficientnet-lite0":
        assert min(what.samples, what.quick.samples) > 1280, "a Fréchet distance takes more samples than features"
    for words in [*(row.command for row in what.rows.values()), *(picture.command for picture in what.pictures)]:
        if words:
            command = cli.get_command(None, words[0])  # type: ignore[arg-type]
            assert words[0] in COMMANDS
            assert command is not None
            command.make_context(words[0], list(words[1:]), resilient_parsing=True)


def test_every_measurement_of_the_papers_is_there() -> None:
    assert {name.partition("/")[0] for name in NAMES} == {"degan", "aegan", "code-loss", "dcgan"}
    assert len(NAMES) == 23
