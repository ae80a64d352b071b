"""Arrays in files: what is read, what is refused, and that nothing is unpickled."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gantk.data.features import ArrayFile, is_array_file
from gantk.errors import DataError, OptionError

POINTS = np.random.default_rng(0).normal(size=(12, 5))


@pytest.mark.parametrize("dtype", ["u1", "f2", "<f4", ">f4", "f8"])
@pytest.mark.parametrize("name", ["points.npy", "points.npz", "packed.NPZ"])
def test_what_is_written_is_read(name: str, dtype: str, tmp_path: Path) -> None:
    array = (POINTS * 50).astype(dtype)
    for written in (array, np.asfortranarray(array), array.reshape(12, 1, 5, 1)):
        with (tmp_path / name).open("wb") as file:
            write: Callable[..., None] = np.savez_compressed if name.startswith("packed") else np.savez
            np.save(file, written) if name.endswith("npy") else write(file, points=written)
        found = ArrayFile(str(tmp_path / name))
        assert (found.shape, found.dtype) == (written.shape, np.dtype(dtype))
        np.testing.assert_array_equal(found.read(), written)
        np.testing.assert_array_equal(found.read(np.array([7, 2, 2])), written[[7, 2, 2]])
        assert found.name == str(tmp_path / name) + (":points" if name.lower().endswith("z") else "")


def test_an_array_that_is_read_can_be_written_to_and_the_file_stays(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", POINTS)
    before = (tmp_path / "points.npy").read_bytes()
    ArrayFile(str(tmp_path / "points.npy")).read()[:] = 0
    assert (tmp_path / "points.npy").read_bytes() == before


def test_one_of_several_arrays_is_named(tmp_path: Path) -> None:
    path = tmp_path / "several.npz"
    np.savez(path, images=POINTS, labels=np.arange(12))
    assert ArrayFile(f"{path}:array=images").shape == (12, 5)
    with pytest.raises(OptionError, match=rf"contains images, labels: choose one, as in {path}:array=images"):
        ArrayFile(str(path))
    with pytest.raises(OptionError, match=r"no array 'image'\. Did you mean 'images'"):
        ArrayFile(f"{path}:array=image")
    with pytest.raises(DataError, match="contains int64; expected uint8, or float"):
        ArrayFile(f"{path}:array=labels")
    np.save(tmp_path / "one.npy", POINTS)
    with pytest.raises(OptionError, match="omit :array=x"):
        ArrayFile(f"{tmp_path / 'one.npy'}:array=x")


def test_files_and_plugins_are_told_apart() -> None:
    for text in ("a.npy", "some/where/a b.npz", "a.npz:array=x", "~/A.NPY", "./digits:x.npz"):
        assert is_array_file(text), text
    for text in ("digits", "gantk:digits", "folder:path=a.npz", "gantk:zip:root=x.npy", "a.zip", "a.npz:images", "npz"):
        assert not is_array_file(text), text


class Trap:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("sprung",)


def header(shape: str, descr: str = "'<f8'", version: int = 1) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = struct.pack("<H", len(text)) if version == 1 else struct.pack("<I", len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + length + text


DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no array as numpy.save"),
    "text": (b"1.0, 2.0\n" * 20, "no array as numpy.save"),
    "a long header": (b"\x93NUMPY\x02\x00" + (20_000).to_bytes(4, "little") + b" " * 20_000, r"unreadable; copy"),
    "no header": (b"\x93NUMPY\x01\x00", "damaged or unreadable"),
    "half a header": (header("(3, 2)")[:30], "damaged or unreadable"),
    "code for a header": (header("__import__('os').mkdir('sprung')") + bytes(48), "damaged or unreadable"),
    "unknown version": (header("(3, 2)", version=9) + bytes(48), "damaged or unreadable|format"),
    "format 3": (header("(3, 2)", version=3) + bytes(48), r"format version \(3, 0\)"),
    "truncated": (header("(3, 2)") + bytes(40), "declares 48 bytes but has 40"),
    "too long": (header("(3, 2)") + bytes(56), "declares 48 bytes but has 56"),
    "absurd": (header("(1000000000000, 1000)"), "declares 8000000000000000 bytes but has 0"),
    "negative": (header("(-3, -2)") + bytes(48), r"has shape \[-3, -2\]"),
    "objects": (header("(3, 2)", "'|O'") + bytes(48), "contains object"),
    "a table": (header("(3, 2)", "[('a', '<f8')]") + bytes(48), "expected uint8, or float"),
    "integers": (header("(3, 2)", "'<i4'") + bytes(24), "contains int32"),
    "text inside": (header("(3, 2)", "'<U2'") + bytes(48), "expected uint8, or float"),
    "complex": (header("(3, 2)", "'<c8'") + bytes(48), "contains complex64"),
    "wide floats": (header("(3, 2)", "'<f16'") + bytes(96), "contains float128|damaged"),
    "one axis": (header("(6,)") + bytes(48), r"has shape \[6\]; expected points \[N, D\]"),
    "no points": (header("(0, 5)"), "at least one"),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["npy", "npz"])
@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_damaged_or_hostile_is_refused(
    content: bytes, message: str, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("x.npz" if zipped else "x.npy")
    if zipped:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", content)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        ArrayFile(str(path))
    assert str(caught.value).startswith("x.np")
    assert not Path("sprung").exists()


def test_pickles_stay_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trap = np.array([[Trap(), 1], [2, 3]], dtype=object)
    np.save("x.npy", trap, allow_pickle=True)
    np.savez("x.npz", x=trap)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(DataError, match="contains object"):
            ArrayFile(name)
    assert not Path("sprung").exists()


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.random.default_rng(0).random((200, 50)))
    whole = stream.getvalue()
    for content in (b"PK\x03\x04", whole[: len(whole) // 2], b"not a zip"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.npz: damaged or unreadable"):
            ArrayFile(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(DataError, match="contains no array"):
        ArrayFile(str(path))
    at = len(whole) // 3
    path.write_bytes(whole[:at] + bytes(8) + whole[at + 8 :])
    with pytest.raises(DataError, match=r"x\.npz: damaged or unreadable"):
        ArrayFile(str(path)).read()
    for missing in ("nowhere.npy", "nowhere.npz", str(tmp_path)):
        with pytest.raises((DataError, OptionError), match=r"no such file|is not FILE\.npy"):
            ArrayFile(missing)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match="not a regular one"):
        ArrayFile(str(tmp_path / "folder.npz"))
