"""Changed files and options are read, or refused with an error of gantk's. The long form: tests/drills/fuzz.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("the drill limits memory and time as Linux can", allow_module_level=True)

from drills.fuzz import Reader, drill, limits
from drills.readers import READERS

INPUTS = 150


@pytest.mark.parametrize("name", READERS)
def test_hostile_inputs_are_refused(name: str, tmp_path: Path) -> None:
    reader = READERS[name]()
    with limits():
        found = drill(reader, len(reader.seeds) + INPUTS, 0, tmp_path)
    assert list(found.escapes) == []
    assert found.accepted + found.refused == found.inputs
    assert found.accepted > 0


def test_the_drill_finds_what_escapes(tmp_path: Path) -> None:
    """So that the tests above can be believed."""

    def read(data: bytes, folder: Path) -> object:
        return bytearray(1 << 40) if data.startswith(b"bomb") else int(data)

    with limits():
        found = drill(Reader([b"1", b"bomb"], read), 60, 0, tmp_path)
    assert {cause.partition(" ")[0] for cause in found.escapes} == {"ValueError", "MemoryError"}
    assert found.escaped == found.inputs - found.accepted > 20
