"""Data sets, images and arrays as others may have written them, each with valid inputs that a fuzzer changes."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from drills.fuzz import Reader
from drills.steps import each_of, zipped
from PIL import Image

from gantk.data.features import ArrayFile
from gantk.data.npy import read_arrays
from gantk.evaluation.array_files import array_source
from gantk_data.archive import ZipFiles
from gantk_data.decode import Decoding, decode, probe
from gantk_data.idx import idx_shape, read_idx
from gantk_data.listing import Files, Opener, Skips
from gantk_data.sources import local_shards
from gantk_data.tars import TarFiles

__all__ = ["archive", "idx", "image", "npy", "npz", "tar"]


def idx() -> Reader:
    """IDX files, gzipped or not."""
    raw = [struct.pack(">4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(24), struct.pack(">4BI", 0, 0, 8, 1, 5) + bytes(5)]

    def read(data: bytes, folder: Path) -> None:
        path = folder / "file"
        for content in (data, gzip.compress(data, 1)) if len(data) % 4 == 0 else (data,):
            path.write_bytes(content)
            each_of(*(partial(reader, path, rank) for reader in (idx_shape, read_idx) for rank in (3, 1)))

    return Reader([*raw, *(gzip.compress(each) for each in raw)], read, [b"\0\0\x08\x03", b"\0\0\x08\x01", b"\x1f\x8b"])


def image() -> Reader:
    """Images of all formats."""
    pixels = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)
    seeds = []
    for kind, modes in (
        ("PNG", "1 L LA P RGB RGBA I;16"),
        ("JPEG", "L RGB CMYK"),
        ("BMP", "1 L P RGB"),
        ("WEBP", "RGB RGBA"),
        ("GIF", "L P RGB"),
        ("TIFF", "1 L RGB RGBA CMYK I;16"),
        ("PPM", "1 L RGB I"),
    ):
        for mode in modes.split():
            stream = io.BytesIO()
            picture = Image.fromarray(pixels).convert("I" if mode == "I;16" else mode)
            extra: dict[str, Any] = {"transparency": 3} if (kind, mode) in (("PNG", "P"), ("GIF", "P")) else {}
            if kind in ("JPEG", "PNG", "WEBP"):
                exif = Image.Exif()
                exif[0x0112] = 6
                extra["exif"] = exif
            (picture.convert(mode) if mode == "I;16" else picture).save(stream, kind, **extra)
            seeds.append(stream.getvalue())
    ways = [Decoding(), Decoding((4, 5), "center", "gray"), Decoding((8, 8), "none", "rgba"), Decoding(color="keep")]

    def read(data: bytes, folder: Path) -> None:
        way = ways[len(data) % len(ways)]
        each_of(lambda: probe(io.BytesIO(data), way, "image"), lambda: decode(io.BytesIO(data), way, "image"))

    return Reader(
        seeds,
        read,
        [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"acTL", b"\xff\xd9", b"II*\0", b"VP8X", b"ANIM"],
        _png,
    )


def _png(data: bytes) -> bytes:
    """A PNG whose chunks have the right checksums."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    found, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        end = at + 8 + min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        found += data[at:end] + zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(found + data[at:])


ZIP_WORDS = [
    b"PK\1\2",
    b"PK\3\4",
    b"PK\5\6",
    b"PK\6\6",
    b"PK\6\7",
    b"../",
    b"/",
    b"\0",
    b".npy",
    b".png",
    b"\x08\0",
    b"\x0c\0",
    b"\x0e\0",
]


def archive() -> Reader:
    """Zips of images."""
    stream = io.BytesIO()
    Image.new("RGB", (3, 3)).save(stream, "PNG")
    picture = stream.getvalue()
    trees = [{"a.png": picture}, {"x/train/a/1.png": picture, "x/train/b/2.png": picture, "x/test/a/3.png": picture}]

    def read(data: bytes, folder: Path) -> None:
        path = folder / "a.zip"
        path.write_bytes(data)
        for allowed in (True, False):
            files = ZipFiles(path, Skips(allowed))
            with files.opener() as opener:
                for name in files.names:
                    each_of(partial(_picture, files, opener, name), lambda: None)

    return Reader([zipped(tree, kind) for tree in trees for kind in (0, 8)], read, ZIP_WORDS)


def tar() -> Reader:
    """Tars of images, with classes beside them."""
    stream = io.BytesIO()
    Image.new("RGB", (3, 3)).save(stream, "PNG")
    trees = [{"a.png": stream.getvalue(), "a.cls": b"3"}, {f"{'x' * 150}/1.png": stream.getvalue(), "y/2.png": b"?"}]

    def read(data: bytes, folder: Path) -> None:
        path = folder / "a.tar"
        path.write_bytes(data)
        for allowed in (True, False):
            files = TarFiles(local_shards(path), path, Skips(allowed))
            with files.opener() as opener:
                for name in files.names:
                    each_of(partial(_picture, files, opener, name), files.labels)

    forms = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    return Reader([_tarred(tree, form) for tree in trees for form in forms], read, TAR_WORDS)


TAR_WORDS = [
    b"ustar",
    b"0000644",
    b"path=",
    b"size=",
    b"12 size=9\n",
    b"GNU.sparse.map=0,1",
    b"hdrcharset=BINARY",
    b"x",
    b"S",
]


def _tarred(tree: Mapping[str, bytes], form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, content in tree.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _picture(files: Files, opener: Opener, name: str) -> object:
    return decode(opener(name), Decoding(), files.title(name))


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


NPY_WORDS = [
    b"descr",
    b"fortran_order",
    b"shape",
    b"<f8",
    b"|O",
    b"<U0",
    b"V8",
    b"('a', '<f8')",
    b"(",
    b")",
    b"-",
    b"L",
    b"e9",
    b"__import__",
]


def npy() -> Reader:
    """`.npy` files."""
    arrays = [
        np.zeros((2, 3)),
        np.zeros((2, 2, 2, 3), np.uint8),
        np.arange(4),
        np.array(["a"]),
        np.zeros((2, 2), "c8"),
        np.float32(1),
    ]

    def read(data: bytes, folder: Path) -> None:
        path = folder / "a.npy"
        path.write_bytes(data)
        each_of(
            lambda: read_arrays(path),
            lambda: read_arrays(path, mapped=True),
            lambda: array_source(path),
            lambda: ArrayFile(str(path)).read(),
        )

    return Reader([_npy(array) for array in arrays], read, NPY_WORDS)


def npz() -> Reader:
    """`.npz` files."""
    entries = {"images.npy": _npy(np.zeros((2, 2, 2, 3), np.uint8)), "labels.npy": _npy(np.arange(2))}

    def read(data: bytes, folder: Path) -> None:
        path = folder / "a.npz"
        path.write_bytes(data)
        each_of(lambda: ArrayFile(str(path)).read(), lambda: read_arrays(path), lambda: array_source(path))

    def repaired(data: bytes) -> bytes:
        """Half of the time the entry is changed, and not the zip around it."""
        return zipped({"images.npy": data, "labels.npy": data}, len(data) % 2 * 8) if data[:1] == b"\x93" else data

    return Reader([zipped(entries, 0), zipped(entries, 8), *entries.values()], read, [*ZIP_WORDS, *NPY_WORDS], repaired)
