"""Many images are decoded once, and kept beside the other caches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import chw, encoded, everything, pixels, put, two_classes

from gantk.errors import DataError
from gantk_data import many, store
from gantk_data.images import Folder


@pytest.fixture
def mapped(monkeypatch):
    monkeypatch.setattr(store, "MEMORY_LIMIT", 100)


def caches(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").glob("*"))


def test_many_images_are_memory_mapped_once(tmp_path, mapped, monkeypatch):
    root = put(two_classes(tmp_path / "set"), {"dog/bad.png": b"?"})
    with pytest.warns(UserWarning, match="1 file was"):
        first = Folder(path=root, skip=True)
    expected = everything(first)
    assert len(caches(tmp_path)) == 1
    monkeypatch.setattr(many, "decode", lambda *_: pytest.fail("decoded again"))
    monkeypatch.setattr(many, "probe", lambda *_: pytest.fail("probed again"))
    with pytest.warns(UserWarning, match="1 file was"):
        again = Folder(path=root, skip=True)
    assert (len(again), again.image_shape, again.skipped) == (6, (3, 6, 5), 1)
    assert again.labels(range(6)).tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(everything(again), expected)
    assert isinstance(again._loaded._images, np.memmap)


def test_a_changed_file_or_option_is_decoded_anew(tmp_path, mapped):
    root = two_classes(tmp_path / "set")
    everything(Folder(path=root))
    put(root, {"cat/1.png": encoded(pixels(77))})
    np.testing.assert_array_equal(Folder(path=root).images([1])[0].numpy(), chw(pixels(77)))
    assert Folder(path=root, color="gray").images([0]).shape == (1, 1, 6, 5)
    assert len(caches(tmp_path)) == 3


@pytest.mark.parametrize("file", ["images.npy", "kept.npy"])
def test_a_damaged_cache_is_made_again(tmp_path, mapped, file):
    root = two_classes(tmp_path / "set")
    expected = everything(Folder(path=root))
    (caches(tmp_path)[0] / file).write_bytes(b"\x93NUMPY garbage")
    np.testing.assert_array_equal(everything(Folder(path=root)), expected)
    np.testing.assert_array_equal(everything(Folder(path=root)), expected)


def test_a_failed_decode_leaves_no_cache(tmp_path, mapped):
    root = put(two_classes(tmp_path / "set"), {"dog/cut.png": encoded(pixels(0))[:-30]})
    with pytest.raises(DataError, match=r"cut\.png"):
        Folder(path=root).images([0])
    assert caches(tmp_path) == []


def test_threads_and_no_threads_give_the_same(tmp_path, monkeypatch):
    root = put(tmp_path, {f"{i:03}.png": encoded(pixels(i)) for i in range(300)})
    alone = everything(Folder(path=root))
    monkeypatch.setattr(many, "THREADS_FROM", 0)
    np.testing.assert_array_equal(everything(Folder(path=root)), alone)
