"""Folders of images: labels, sizes, links, and what is refused."""

from __future__ import annotations

import os

import numpy as np
import pytest
from pictures import chw, encoded, everything, pixels, put, two_classes

from gantk.errors import DataError, OptionError
from gantk.options import check_options, read_options
from gantk_data.images import Folder


def test_class_folders_are_labels(tmp_path):
    two_classes(tmp_path)
    put(
        tmp_path, {"dog/deep/er/9.PNG": encoded(pixels(99)), "cat/notes.txt": b"", ".DS_Store": b"", "cat/.x.png": b"?"}
    )
    source = Folder(path=tmp_path)
    assert (len(source), source.image_shape, source.classes, source.skipped) == (7, (3, 6, 5), ("cat", "dog"), 0)
    assert source.labels(range(7)).tolist() == [0, 0, 0, 1, 1, 1, 1]
    expected = [chw(pixels(s)) for s in (0, 1, 2, 10, 11, 12, 99)]
    np.testing.assert_array_equal(everything(source), np.stack(expected))


def test_a_flat_folder_has_no_labels(tmp_path):
    put(tmp_path, {"a.png": encoded(pixels(0)), "b.bmp": encoded(pixels(1), "BMP"), "c.ppm": encoded(pixels(2), "PPM")})
    source = Folder(path=tmp_path)
    assert source.classes is None
    assert source.labels([0]) is None
    np.testing.assert_array_equal(everything(source), np.stack([chw(pixels(s)) for s in range(3)]))


def test_a_mixture_of_both_is_refused(tmp_path):
    put(two_classes(tmp_path), {"stray.png": encoded(pixels(5))})
    with pytest.raises(DataError, match=r"stray\.png.*cat/0\.png"):
        Folder(path=tmp_path)


def test_mixed_sizes_name_both(tmp_path):
    put(two_classes(tmp_path), {"dog/x.png": encoded(pixels(5, 7, 5))})
    with pytest.raises(DataError, match=r"x\.png: 7 x 5.*cat/0\.png is 6 x 5.*size="):
        Folder(path=tmp_path)
    with pytest.warns(UserWarning, match=r"1 file was skipped.*x\.png"):
        assert len(Folder(path=tmp_path, skip=True)) == 6
    assert Folder(path=tmp_path, size=(8, 4)).image_shape == (3, 8, 4)


def test_size_cuts_the_middle_and_without_crop_stretches(tmp_path):
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 255
    put(tmp_path, {"a.png": encoded(wide)})
    cut = everything(Folder(path=tmp_path, size=8))
    np.testing.assert_array_equal(cut, np.full((1, 3, 8, 8), 255))
    stretched = everything(Folder(path=tmp_path, size=24, crop="none"))[0, 0]
    assert stretched.shape == (24, 24)
    assert (stretched[:, :6] == 0).all()
    assert (stretched[:, 10:14] == 255).all()
    half = everything(Folder(path=tmp_path, size=(4, 4), crop="center"))
    assert (half[..., 1:3] == 255).all()
    assert (half > 200).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size is 1 to"),
        ({"size": (4, 10**6)}, "size is 1 to"),
        ({"crop": "middle"}, "crop takes"),
        ({"color": "red"}, "color takes"),
    ],
)
def test_bad_options_are_refused(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        Folder(path=tmp_path, **options)


def test_options_as_the_command_line_gives_them(tmp_path):
    given = check_options(Folder, {"path": str(tmp_path), "size": [64, 48], "crop": "center", "skip": "true"}, "data")
    assert given == {"path": tmp_path, "size": (64, 48), "crop": "center", "skip": True}
    assert all(option.doc for option in read_options(Folder).values())


def test_nothing_usable_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        Folder(path=tmp_path / "nowhere")
    with pytest.raises(DataError, match="no image file"):
        Folder(path=put(tmp_path, {"a.txt": b""}))
    with pytest.raises(DataError, match="none of 1 images"):
        Folder(path=put(tmp_path, {"a.png": b""}), skip=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX files")
@pytest.mark.parametrize("trick", ["loop", "same name", "broken", "fifo"])
def test_links_and_special_files_name_themselves(tmp_path, trick):
    two_classes(tmp_path)
    path = tmp_path / "dog" / "trick.png"
    if trick == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to({"loop": tmp_path, "same name": tmp_path / "cat", "broken": tmp_path / "none"}[trick])
    with pytest.raises(DataError, match=r"trick\.png"):
        Folder(path=tmp_path)
    with pytest.warns(UserWarning, match=r"trick\.png"):
        assert len(Folder(path=tmp_path, skip=True)) in (3, 6)


def test_names_that_garble_a_terminal_are_escaped(tmp_path):
    put(tmp_path, {"a\n\x1b[31m.png": b"?"})
    with pytest.raises(DataError) as caught:
        Folder(path=tmp_path)
    assert str(caught.value).isprintable()


def test_a_file_where_a_folder_is_expected(tmp_path):
    put(tmp_path, {"a.png": encoded(pixels(0))})
    with pytest.raises(DataError, match=r"a\.png: a file, not a folder; omit 'folder:', as in --data /"):
        Folder(path=tmp_path / "a.png")
