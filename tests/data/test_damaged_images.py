"""Damaged images are named or skipped, and sound ones are not warned of."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
from pictures import chw, encoded, everything, pixels, put, two_classes
from PIL import Image

from gantk.errors import DataError, GantkWarning
from gantk_data import decode
from gantk_data.images import Folder


def png_bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def damaged() -> dict[str, bytes]:
    good = encoded(pixels(0, 40, 50))
    jpeg = encoded(pixels(0, 40, 50), "JPEG")
    return {
        "text.png": b"this is not an image",
        "empty.jpg": b"",
        "cut.png": good[: len(good) // 2],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "header.png": good[:20],
        "bits.png": good[:60] + bytes(b ^ 0x55 for b in good[60:90]) + good[90:],
        "cut.gif": encoded(Image.fromarray(pixels(0, 40, 50)).convert("P"), "GIF")[:900],
        "cut.webp": encoded(pixels(0, 40, 50), "WEBP")[:100],
        "cut.tif": encoded(pixels(0, 40, 50), "TIFF")[:200],
        "cut.ppm": encoded(pixels(0, 40, 50), "PPM")[:-1],
        "bomb.png": png_bomb(30_000, 30_000),
        "large.png": png_bomb(9000, 9000),
        "float.tiff": encoded(Image.new("F", (50, 40)), "TIFF"),
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 40\n",
    }


@pytest.mark.parametrize("name", list(damaged()))
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_images_name_the_file_or_are_counted(tmp_path, name):
    put(tmp_path, {"a.png": encoded(pixels(1, 40, 50)), name: damaged()[name], "z.png": encoded(pixels(2, 40, 50))})
    with pytest.raises(DataError) as caught:
        Folder(path=tmp_path).images([0])
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.warns(UserWarning, match="1 file was skipped") as said:
        source = Folder(path=tmp_path, skip=True)
    assert name in str(said[0].message)
    assert (len(source), source.skipped) == (2, 1)
    np.testing.assert_array_equal(everything(source), np.stack([chw(pixels(s, 40, 50)) for s in (1, 2)]))


def test_labels_stay_with_their_images_when_some_are_skipped(tmp_path):
    put(two_classes(tmp_path), {"cat/1.png": b"?", "dog/0.png": encoded(pixels(0))[:-30]})
    with pytest.warns(UserWarning, match="2 files"):
        source = Folder(path=tmp_path, skip=True)
    assert source.labels(range(4)).tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(everything(source), np.stack([chw(pixels(s)) for s in (0, 2, 11, 12)]))


def test_nothing_warns_about_sound_images(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        everything(Folder(path=two_classes(tmp_path)))
    assert decode.PIXEL_LIMIT < Image.MAX_IMAGE_PIXELS


def peculiar() -> dict[str, bytes]:
    """Sound pixels with something else that Pillow warns of."""
    jpeg = encoded(pixels(0, 40, 50), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff" + bytes(20))
    palette = Image.fromarray(pixels(0, 40, 50)).convert("P", palette=Image.Palette.ADAPTIVE)
    tiff = bytearray(encoded(pixels(0, 40, 50), "TIFF", software="x" * 40))
    at = tiff.index(struct.pack("<HH", 305, 2))
    tiff[at + 8 : at + 12] = struct.pack("<I", 1 << 30)
    return {
        "exif.jpg": jpeg,
        "alphas.png": encoded(palette, transparency=bytes(range(256))),
        "bomb.png": encoded(Image.new("1", (50, 40))),
        "tag.tif": bytes(tiff),
    }


@pytest.mark.parametrize("name", list(peculiar()))
def test_what_does_not_matter_is_not_warned_of(tmp_path, name, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    put(tmp_path, {name: peculiar()[name]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert everything(Folder(path=tmp_path, size=(40, 50))).shape == (1, 3, 40, 50)


def test_every_reason_for_skipping_is_counted(tmp_path):
    bad = {
        "cat/bad.png": b"?",
        "cat/cut.jpg": encoded(pixels(0), "JPEG")[:200],
        "dog/size.png": encoded(pixels(5, 7, 5)),
    }
    put(two_classes(tmp_path), {**bad, "dog/notes.txt": b"hello"})
    with pytest.warns(GantkWarning) as said:
        source = Folder(path=tmp_path, skip=True)
    assert (len(source), source.skipped, len(said)) == (6, 3, 1)
    assert str(said[0].message).startswith(
        f"{tmp_path}: 1 file was left out, for example notes.txt (not PNG, JPEG, BMP, WebP, GIF, TIFF or PPM); "
        f"3 files were skipped (2 cannot be decoded, 1 of another size); the first: {tmp_path}/cat/bad.png: "
    )
    assert "skip=true" not in str(said[0].message)  # it is set already
