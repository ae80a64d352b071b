"""Which files of a folder are images, and what is said of the others."""

from __future__ import annotations

import warnings

import pytest
from pictures import encoded, everything, pixels, put, two_classes

from gantk.errors import DataError, GantkWarning
from gantk_data.images import Folder


def test_images_are_told_by_their_content(tmp_path):
    names = [
        "a.jpg",
        "b.jfif",
        "c.JPE",
        "d",
        "e.dat",
        "f.png",
        "0123abcd",
        "g.txt",
        ".hidden/x",
        "h.jpg_large",
        "i.JPG",
    ]
    kinds = ["JPEG", "JPEG", "JPEG", "PNG", "BMP", "JPEG", "WEBP", "GIF", "PNG", "TIFF", "PPM"]
    put(tmp_path, {name: encoded(pixels(0), kind) for name, kind in zip(names, kinds, strict=True)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = Folder(path=tmp_path, color="rgb")
    assert len(source) == len(names) - 1
    assert everything(source).shape == (10, 3, 6, 5)


def test_what_is_left_out_is_counted_with_its_reason(tmp_path):
    texts = {
        "labels.csv": b"a,b",
        "Makefile": b"P5 is no picture",
        "BMW.txt": b"BM",
        "empty": b"",
        "x.heic": b"ftypheic",
    }
    put(two_classes(tmp_path), {**texts, "cat/.x.png": b"?", "cat/.gitignore": b""})
    with pytest.warns(GantkWarning) as said:
        source = Folder(path=tmp_path)
    assert (len(source), source.skipped, len(said)) == (6, 0, 1)
    assert str(said[0].message) == (
        f"{tmp_path}: 6 files were left out, for example BMW.txt "
        "(5 not PNG, JPEG, BMP, WebP, GIF, TIFF or PPM, 1 hidden)"
    )


@pytest.mark.parametrize(
    "litter",
    [
        *("@eaDir/a.png", "cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg", "__MACOSX/cat/._0.png", "._0.png", ".DS_Store"),
        *("Thumbs.db", "cat/thumbs.DB", "desktop.ini", "#recycle/x.png", "$RECYCLE.BIN/x.png", ".thumbnails/x.png"),
        *(".ipynb_checkpoints/0-checkpoint.png", "@Recycle/x.png"),
    ],
)
def test_what_systems_leave_in_folders_is_no_image(tmp_path, litter):
    put(two_classes(tmp_path), {litter: encoded(pixels(5))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = Folder(path=tmp_path)
    assert (len(source), source.classes) == (6, ("cat", "dog"))


def test_a_folder_without_images_says_what_lies_there(tmp_path):
    put(tmp_path, {"a.heic": b"ftypheic", "b.txt": b""})
    with pytest.raises(
        DataError, match=r"no image file in it \(2 files were left out, for example a\.heic \(not PNG.*\)\); expected"
    ):
        Folder(path=tmp_path)


def test_an_archive_in_a_folder_without_images_is_the_mend(tmp_path):
    put(tmp_path, {"photos.zip": b"PK"})
    with pytest.raises(DataError, match=rf"or PPM\. For the archive: --data {tmp_path}/photos\.zip\.$"):
        Folder(path=tmp_path)
