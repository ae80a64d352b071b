"""Zips of images: what a folder can do, and what only a hostile zip does."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, pixels

from gantk.errors import DataError, GantkWarning
from gantk_data import listing, store
from gantk_data.images import Zip


def pack(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def good(prefix: str = "") -> dict[str, bytes]:
    return {f"{prefix}{c}/{i}.png": encoded(pixels(10 * k + i)) for k, c in enumerate(("cat", "dog")) for i in range(2)}


def patch(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def central(path: Path, name: str) -> int:
    """Where the central directory's record of an entry begins (PKWARE APPNOTE 4.3.12)."""
    data = path.read_bytes()
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    return at


def set_field(path: Path, name: str, offset: int, value: bytes) -> None:
    data = bytearray(path.read_bytes())
    at = central(path, name) + offset
    data[at : at + len(value)] = value
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("prefix", ["", "set/", "a/b/", "./"])
def test_reads_classes_below_any_common_folder(tmp_path, method, prefix):
    other = {"__MACOSX/cat/._0.png": b"?", prefix + "README.txt": b"hello"}
    path = pack(tmp_path / "z.zip", {**good(prefix), **other}, method)
    with pytest.warns(GantkWarning, match=r"z\.zip: 1 file was left out, for example README\.txt \(not PNG, JPEG, "):
        source = Zip(path=path)
    assert (len(source), source.image_shape, source.classes) == (4, (3, 6, 5), ("cat", "dog"))
    assert source.labels(range(4)).tolist() == [0, 0, 1, 1]
    expected = np.stack([pixels(s).transpose(2, 0, 1) for s in (0, 1, 10, 11)])
    np.testing.assert_array_equal(source.images(range(4)).numpy(), expected)
    assert [p.name for p in tmp_path.iterdir()] == ["z.zip"]


def test_one_folder_alone_is_no_class(tmp_path):
    entries = {f"all/{i}.png": encoded(pixels(i)) for i in range(3)}
    assert Zip(path=pack(tmp_path / "z.zip", entries)).classes is None


def test_inside_chooses_a_folder(tmp_path):
    path = pack(tmp_path / "z.zip", {**good("train/"), "test/cat/0.png": encoded(pixels(0))})
    assert Zip(path=path, inside="train").classes == ("cat", "dog")
    assert Zip(path=path, inside="test").classes is None
    with pytest.raises(DataError, match=r"z\.zip.*inside=valid; at the top: test, train"):
        Zip(path=path, inside="valid")


def test_zipped_images_are_memory_mapped_too(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MEMORY_LIMIT", 10)
    path = pack(tmp_path / "z.zip", good())
    first = Zip(path=path).images(range(4))
    assert len(list((tmp_path / "cache").iterdir())) == 1
    np.testing.assert_array_equal(Zip(path=path).images(range(4)), first)


def refuses(path: Path, entry: str, reason: str, usable: int) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        Zip(path=path).images([0])
    assert str(path) in str(caught.value)
    assert entry in str(caught.value)
    assert str(caught.value).isprintable()
    with pytest.warns(UserWarning, match="1 file was skipped"):
        source = Zip(path=path, skip=True)
    assert (len(source), source.skipped) == (usable, 1)
    assert len(source.images(range(usable))) == usable


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x.png", "outside the archive"),
        ("cat/../../x.png", "outside the archive"),
        ("/etc/x.png", "absolute"),
        ("C:/x.png", "absolute"),
        ("../notes.txt", "outside the archive"),
    ],
)
def test_paths_that_leave_the_zip(tmp_path, name, reason):
    refuses(pack(tmp_path / "z.zip", {**good(), name: encoded(pixels(5))}), name, reason, 4)


def test_nuls_in_names(tmp_path):
    path = pack(tmp_path / "z.zip", {**good(), "cat/x.png": encoded(pixels(5))})
    refuses(patch(path, b"cat/x.png", b"cat\0x.png"), ".png", "contains a NUL", 4)


def test_backslashes_separate_folders(tmp_path):
    entries = {name.replace("/", "\\"): content for name, content in good("set/train/").items()}
    path = pack(tmp_path / "z.zip", {**entries, "set\\empty\\": b"", "set\\@eaDir\\x.png": b"?"})
    for source in (Zip(path=path), Zip(path=path, inside="set\\train")):
        assert (len(source), source.classes) == (4, ("cat", "dog"))
        assert source.images([0, 3]).shape == (2, 3, 6, 5)


@pytest.mark.parametrize("name", ["..\\x.png", "cat\\..\\..\\x.png", "\\\\host\\x.png", "C:\\x.png"])
def test_backslashes_that_lead_out(tmp_path, name):
    refuses(pack(tmp_path / "z.zip", {**good(), name: encoded(pixels(5))}), ".png", "absolute|outside the archive", 4)


def test_a_name_with_both_separators_occurs_twice(tmp_path):
    refuses(
        pack(tmp_path / "z.zip", {**good(), "cat\\0.png": encoded(pixels(5))}),
        ".png",
        "another entry has the same name",
        4,
    )


def test_symbolic_links(tmp_path):
    path = pack(tmp_path / "z.zip", good())
    link = zipfile.ZipInfo("cat/link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refuses(path, "cat/link.png", "symbolic link", 4)


def test_the_same_name_twice(tmp_path):
    path = pack(tmp_path / "z.zip", {**good(), "cat/./0.png": encoded(pixels(9))})
    refuses(path, "cat/./0.png", "same name", 4)


def test_encrypted_entries(tmp_path):
    path = pack(tmp_path / "z.zip", good())
    set_field(path, "dog/1.png", 8, struct.pack("<H", 1))
    refuses(path, "dog/1.png", "encrypted", 3)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_cannot_be_bounded(tmp_path, method):
    path = pack(tmp_path / "z.zip", good())
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("cat/x.png", encoded(pixels(7)))
    refuses(path, "cat/x.png", "neither 'stored' nor 'deflated'", 4)


def test_a_wrong_checksum(tmp_path):
    path = pack(tmp_path / "z.zip", good())
    set_field(path, "dog/1.png", 16, b"\1\2\3\4")
    refuses(path, "dog/1.png", "CRC", 3)


def test_an_entry_larger_than_it_declares_is_not_inflated(tmp_path):
    path = pack(tmp_path / "z.zip", {**good(), "dog/x.png": bytes(10_000_000)})
    set_field(path, "dog/x.png", 24, struct.pack("<I", 1000))
    refuses(path, "dog/x.png", "damaged", 4)


def test_an_entry_smaller_than_it_declares(tmp_path):
    path = pack(tmp_path / "z.zip", good())
    set_field(path, "dog/1.png", 24, struct.pack("<I", 5000))
    refuses(path, "dog/1.png", "damaged", 3)


def test_an_entry_that_declares_what_it_cannot_hold(tmp_path):
    path = pack(tmp_path / "z.zip", good())
    set_field(path, "dog/1.png", 24, struct.pack("<I", 200_000_000))
    refuses(path, "dog/1.png", "can inflate to", 3)


def test_an_entry_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("gantk_data.archive.FILE_LIMIT", 1000)
    assert listing.FILE_LIMIT > 1000
    refuses(pack(tmp_path / "z.zip", {**good(), "dog/x.png": bytes(2000)}), "dog/x.png", "more than 1000", 4)


def test_overlapping_entries(tmp_path):
    path = pack(tmp_path / "z.zip", {f"{i}.png": encoded(pixels(0, 30, 30)) for i in range(8)}, zipfile.ZIP_STORED)
    size = path.stat().st_size
    for i in range(8):
        set_field(path, f"{i}.png", 20, struct.pack("<II", size // 4, size // 4))
    with pytest.raises(DataError, match=r"z\.zip: its entries overlap"):
        Zip(path=path, skip=True)


@pytest.mark.parametrize("cut", [0, 1, 22, 100, -1, -30])
def test_a_truncated_zip(tmp_path, cut):
    path = pack(tmp_path / "z.zip", good())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError) as caught:
        Zip(path=path)
    assert str(path) in str(caught.value)


def test_what_is_no_zip_or_holds_no_image(tmp_path):
    with pytest.raises(DataError, match=r"none\.zip: no such file"):
        Zip(path=tmp_path / "none.zip")
    with pytest.raises(DataError, match=r"a folder, not a zip; omit 'zip:', as in --data /"):
        Zip(path=tmp_path)
    with pytest.raises(DataError, match=r"z\.zip: no image file"):
        Zip(path=pack(tmp_path / "z.zip", {"a.txt": b""}))


@pytest.mark.parametrize("seed", range(60))
def test_random_damage_is_an_error_of_ours_or_none(tmp_path, seed):
    """Flip bytes anywhere: the answer is a DataError that names the zip, or images of the announced number."""
    rng = np.random.default_rng(seed)
    path = pack(tmp_path / "z.zip", good())
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
    path.write_bytes(data.tobytes())
    said = f"{path} "
    try:
        source = Zip(path=path)
        assert len(source.images(range(len(source)))) == len(source)
    except DataError as error:
        said = str(error)
    assert str(path) in said
    assert said.isprintable()
