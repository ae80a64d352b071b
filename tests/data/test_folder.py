"""Folders of images: labels, sizes, colors, damaged files, links."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, pixels
from PIL import Image

from gantk.errors import DataError, GantkWarning, OptionError
from gantk.options import check_options, read_options
from gantk_data import decode, images, store
from gantk_data.images import Folder


def put(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def everything(source: Folder) -> np.ndarray:
    return source.images(np.arange(len(source))).numpy()


def chw(image: np.ndarray) -> np.ndarray:
    return image[None] if image.ndim == 2 else image.transpose(2, 0, 1)


def two_classes(root: Path) -> Path:
    return put(
        root, {f"{c}/{i}.png": encoded(pixels(10 * k + i)) for k, c in enumerate(("cat", "dog")) for i in range(3)}
    )


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


@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("gray", 1), ("rgba", 4)])
def test_every_kind_of_image_in_every_color(tmp_path, color, channels):
    grey = np.full((6, 5), 100, np.uint8)
    rgb = np.full((6, 5, 3), 100, np.uint8)
    palette = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE)
    put(
        tmp_path,
        {
            "bits.png": encoded(Image.new("1", (5, 6), 1)),
            "cmyk.jpg": encoded(Image.fromarray(rgb).convert("CMYK"), "JPEG", quality=100),
            "grey.png": encoded(grey),
            "grey16.png": encoded(Image.fromarray(np.full((6, 5), 100 * 257, np.uint16))),
            "palette.gif": encoded(palette, "GIF"),
            "rgb.png": encoded(rgb),
            "rgb.webp": encoded(rgb, "WEBP", lossless=True),
            "rgb.tiff": encoded(rgb, "TIFF"),
            "rgba.png": encoded(np.dstack([rgb, np.full((6, 5), 255, np.uint8)])),
        },
    )
    source = Folder(path=tmp_path, color=color)
    assert source.image_shape == (channels, 6, 5)
    colors = everything(source)[:, : min(channels, 3)].reshape(9, -1)
    assert (colors[0] == 255).all()
    assert np.abs(colors[1:].astype(int) - 100).max() <= 2
    if channels == 4:
        assert (everything(source)[:, 3] == 255).all()


def test_transparency_lies_over_white(tmp_path):
    clear = np.zeros((2, 2, 4), np.uint8)
    put(tmp_path, {"a.png": encoded(clear)})
    assert (everything(Folder(path=tmp_path)) == 255).all()
    assert Folder(path=tmp_path, color="keep").image_shape == (4, 2, 2)


def test_keep_leaves_gray_as_it_is_and_refuses_a_mixture(tmp_path):
    put(tmp_path, {"a.png": encoded(pixels(0, channels=1))})
    source = Folder(path=tmp_path, color="keep")
    np.testing.assert_array_equal(everything(source)[0, 0], pixels(0, channels=1))
    put(tmp_path, {"b.png": encoded(pixels(1))})
    with pytest.raises(DataError, match=r"b\.png.*3 channels.*a\.png.*1 channels.*color="):
        Folder(path=tmp_path, color="keep")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, kind, orientation):
    corner = np.zeros((16, 32, 3), np.uint8)
    corner[:8, :8] = 255  # where the stored image's first pixels are seen, by the EXIF standard:
    seen = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(tmp_path, {f"a.{kind.lower()}": encoded(corner, kind, exif=exif)})
    source = Folder(path=tmp_path)
    assert source.image_shape == ((3, 16, 32) if orientation < 5 else (3, 32, 16))
    image = everything(source)[0, 0]
    found = image[1 if seen[0] == "t" else -2, 1 if seen[1] == "l" else -2]
    assert found > 200
    assert image.mean() == pytest.approx(255 / 8, abs=4)


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
    monkeypatch.setattr(images, "decode", lambda *_: pytest.fail("decoded again"))
    monkeypatch.setattr(images, "probe", lambda *_: pytest.fail("probed again"))
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
    monkeypatch.setattr(images, "THREADS_FROM", 0)
    np.testing.assert_array_equal(everything(Folder(path=root)), alone)


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


def test_a_file_where_a_folder_is_expected(tmp_path):
    put(tmp_path, {"a.png": encoded(pixels(0))})
    with pytest.raises(DataError, match=r"a\.png: a file, not a folder; omit 'folder:', as in --data /"):
        Folder(path=tmp_path / "a.png")


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
