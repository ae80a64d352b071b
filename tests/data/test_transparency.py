"""Every mode, bit depth and kind of transparency, against what the PNG standard says a file shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, pixels
from PIL import Image
from png_files import pictures

from gantk.errors import DataError
from gantk_data.images import Folder

PICTURES = pictures()


def read(folder: Path, content: bytes, suffix: str, color: str) -> np.ndarray:
    (folder / f"a{suffix}").write_bytes(content)
    return Folder(path=folder, color=color).images([0])[0].numpy().astype(int)


def over_white(rgba: np.ndarray) -> np.ndarray:
    """`[3, H, W]` in 0…255."""
    alpha = rgba[..., 3:]
    return (255 * (rgba[..., :3] * alpha + 1 - alpha)).transpose(2, 0, 1)


def luma(rgb: np.ndarray) -> np.ndarray:
    """ITU-R 601-2, as Pillow documents for its mode L."""
    return (rgb * np.array([299, 587, 114])[:, None, None]).sum(axis=0, keepdims=True) / 1000


@pytest.mark.parametrize("name", PICTURES)
def test_white_lies_behind_what_is_transparent(tmp_path: Path, name: str) -> None:
    picture = PICTURES[name]
    expected = over_white(picture.shown())
    np.testing.assert_allclose(read(tmp_path, picture.encoded(), ".png", "rgb"), expected, atol=1.5)
    np.testing.assert_allclose(read(tmp_path, picture.encoded(), ".png", "gray"), luma(expected), atol=2)


@pytest.mark.parametrize("name", PICTURES)
def test_alpha_is_kept_where_it_is_asked_for(tmp_path: Path, name: str) -> None:
    picture = PICTURES[name]
    expected = 255 * picture.shown().transpose(2, 0, 1)
    found = read(tmp_path, picture.encoded(), ".png", "rgba")
    visible = np.broadcast_to(expected[3:] > 0, expected.shape)
    np.testing.assert_allclose(found[visible], expected[visible], atol=1)
    np.testing.assert_allclose(found[3], expected[3], atol=1)
    kept = read(tmp_path, picture.encoded(), ".png", "keep")
    transparent = picture.clear is not None or picture.alphas is not None or picture.kind in (4, 6)
    assert len(kept) == (4 if transparent else 1 if picture.kind == 0 else 3)
    if transparent:
        np.testing.assert_array_equal(kept, found)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_transparency_turns_with_its_picture(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = PICTURES["gray-16, clear"]
    turned = replace(plain, exif=exif.tobytes()[6:])
    # What each orientation does to rows and columns, by the EXIF standard:
    turns = {1: "", 2: "h", 3: "hv", 4: "v", 5: "t", 6: "th", 7: "thv", 8: "tv"}[orientation]
    expected = over_white(plain.shown())
    for turn in turns:
        axes = {"t": (0, 2, 1), "h": (0, 1, 2), "v": (0, 1, 2)}[turn]
        expected = expected.transpose(axes)
        expected = {"t": expected, "h": expected[:, :, ::-1], "v": expected[:, ::-1]}[turn]
    np.testing.assert_allclose(read(tmp_path, turned.encoded(), ".png", "rgb"), expected, atol=1)


@pytest.mark.parametrize("name", ["gray-2, clear", "gray-16, clear", "rgb-16, clear", "rgba-16"])
def test_interlaced_files(tmp_path: Path, name: str) -> None:
    picture = replace(PICTURES[name], interlaced=True)
    np.testing.assert_allclose(read(tmp_path, picture.encoded(), ".png", "rgb"), over_white(picture.shown()), atol=1.5)


OTHERS = {
    "GIF, one clear": ("GIF", "P", {"transparency": 3}),
    "GIF of grays": ("GIF", "L", {"transparency": 77}),
    "WebP": ("WEBP", "RGBA", {"lossless": True, "exact": True}),
    "TIFF, gray with alpha": ("TIFF", "LA", {}),
    "TIFF": ("TIFF", "RGBA", {}),
    "TIFF of 16 bits": ("TIFF", "I;16", {}),
    "TIFF of 16 bits, big-endian": ("TIFF", "I;16B", {}),
    "TIFF of one bit": ("TIFF", "1", {}),
    "TIFF, palette": ("TIFF", "P", {}),
    "TIFF, CMYK": ("TIFF", "CMYK", {}),
    "TIFF, YCbCr": ("TIFF", "YCbCr", {}),
    "BMP": ("BMP", "RGB", {}),
    "BMP, palette": ("BMP", "P", {}),
    "PPM of 16 bits": ("PPM", "I;16", {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_in_other_modes(tmp_path: Path, name: str) -> None:
    kind, mode, options = OTHERS[name]
    rgba = np.dstack([pixels(0, 6, 7), pixels(1, 6, 7, 1)])
    if mode.startswith("I;16"):
        deep = np.random.default_rng(2).integers(0, 1 << 16, (6, 7)).astype(">u2" if mode.endswith("B") else "<u2")
        image = Image.frombytes(mode, (7, 6), deep.tobytes())
        image = image.convert("I") if kind == "PPM" else image
        expected = np.broadcast_to(deep / 65535 * 255, (3, 6, 7))
        alpha = np.full((6, 7), 255)
    else:
        image = Image.fromarray(rgba)
        image = image if mode == "RGBA" else image.convert(mode) if mode in ("L", "LA") else image.convert("RGB")
        image = image if mode in ("RGBA", "LA") else image.convert(mode)
        raw = np.asarray(image)
        shown = np.asarray(image.convert("RGB")).astype(float)
        alpha = np.full((6, 7), 255)
        if "transparency" in options:
            alpha = np.where(raw == options["transparency"], 0, 255)
        elif mode in ("RGBA", "LA"):
            alpha = raw[..., -1].astype(int)
            shown = np.asarray(rgba[..., :3] if mode == "RGBA" else raw[..., [0, 0, 0]]).astype(float)
        expected = (shown * alpha[..., None] / 255 + 255 - alpha[..., None]).transpose(2, 0, 1)
    content = encoded(image, kind, **options)
    np.testing.assert_allclose(read(tmp_path, content, f".{kind.lower()}", "rgb"), expected, atol=1.5)
    np.testing.assert_array_equal(read(tmp_path, content, f".{kind.lower()}", "rgba")[3], alpha)


@pytest.mark.parametrize("mode", ["F", "I", "LAB"])
def test_what_has_no_8_bit_colors_is_refused(tmp_path: Path, mode: str) -> None:
    content = encoded(Image.new(mode, (7, 6)), "TIFF")
    with pytest.raises(
        DataError, match=rf"a\.tiff: cannot be decoded \(pixels of mode {mode} have no defined conversion"
    ):
        read(tmp_path, content, ".tiff", "rgb")
