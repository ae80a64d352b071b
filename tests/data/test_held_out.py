"""What data sources keep held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from gantk.construct import construct, part_class
from gantk.options import read_options
from gantk.registry import plugins

NAMES = [plugin.name for plugin in plugins("data") if plugin.package == "gantk"]
PUBLISHED = {"mnist", "fashion-mnist", "cifar10"}
SPLIT = {*PUBLISHED, "folder", "zip", "tar", "hugging-face", "subset", "stacked"}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_held_out_is_reached_by_options(name: str) -> None:
    source = part_class("data", name)
    assert source.held_out == ({"split": "test"} if name in SPLIT else {})
    assert set(source.held_out) <= set(read_options(source))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_held_out_images_are_others(name: str, data_root: Path) -> None:
    train = construct("data", {"plugin": name, "root": data_root})
    test = construct("data", {"plugin": name, "root": data_root, **train.held_out})
    assert (len(test), test.image_shape, test.classes) == (10_000, train.image_shape, train.classes)
    assert len(train) > len(test)
