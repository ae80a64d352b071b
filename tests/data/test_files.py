"""Image files that are named one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, pixels

from gantk.construct import construct
from gantk.errors import DataError, OptionError
from gantk.testing import DataContract


class TestFiles(DataContract):
    plugin = "files"

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        for seed in range(3):
            (tmp_path / f"{seed}.png").write_bytes(encoded(pixels(seed)))
        self.options = {"path": [tmp_path / f"{seed}.png" for seed in (2, 0, 1)]}  # type: ignore[misc]


def test_they_come_as_named_whatever_folder_they_lie_in(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    places = [tmp_path / "deep" / "b", tmp_path / "a.png", tmp_path / "deep" / "b"]
    for seed, place in enumerate(places[:2]):
        place.write_bytes(encoded(pixels(seed)))
    source = construct("data", {"plugin": "files", "path": [str(place) for place in places]})
    assert (len(source), source.classes) == (3, None)
    expected = np.stack([pixels(seed).transpose(2, 0, 1) for seed in (0, 1, 0)])
    np.testing.assert_array_equal(source.images([0, 1, 2]).numpy(), expected)


def test_changed_files_are_read_anew(tmp_path: Path) -> None:
    for seed in (0, 1):
        (tmp_path / "a.png").write_bytes(encoded(pixels(seed)))
        found = construct("data", {"plugin": "files", "path": [str(tmp_path / "a.png")]}).images([0])[0].numpy()
        np.testing.assert_array_equal(found, pixels(seed).transpose(2, 0, 1))


def test_mixed_sizes_need_a_size(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    paths[0].write_bytes(encoded(pixels(0)))
    paths[1].write_bytes(encoded(pixels(0, 8, 8)))
    given = {"plugin": "files", "path": [str(path) for path in paths]}
    with pytest.raises(DataError, match=r"b\.png: 8 x 8.*size="):
        construct("data", given)
    assert construct("data", {**given, "size": [4, 3], "color": "gray"}).image_shape == (1, 4, 3)


def test_what_is_no_picture_is_named_with_a_mend_that_exists(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"x\.png: not an image; expected PNG, .*: remove it\.$"):
        construct("data", {"plugin": "files", "path": [str(tmp_path / "x.png")], "size": 4})
    with pytest.raises(DataError, match=r"gone\.png: cannot be read \(No such file"):
        construct("data", {"plugin": "files", "path": [str(tmp_path / "gone.png")]})
    with pytest.raises(OptionError, match="path is one or more"):
        construct("data", {"plugin": "files", "path": []})
