"""Files whose headers promise more than memory holds, or than the file, are refused before anything is allocated."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gantk import memory
from gantk.data import open_zip, read_array
from gantk.data.features import ArrayFile
from gantk.data.npy import read_arrays
from gantk.errors import DataError


@pytest.fixture(autouse=True)
def little() -> Iterator[None]:
    """At most 50 MB may be allocated."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20


def header(shape: str, descr: str = "|u1") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HEADERS = {
    "more than the file": header("(1000000000000, 1000)"),
    "more than any machine": header("(" + "9" * 400 + ", 1)"),
    "negative": header("(-1, -100)"),
    "text of no characters": header("(1000000000000,)", "<U0"),
    "records": header("(1,)", "V100"),
    "none of too many": header("(0, 1" + "0" * 20 + ")"),
    "a shape of no numbers": header("(1, 'a')"),
    "no dictionary": header("{}"),
    "many brackets": b"\x93NUMPY\x01\x00" + struct.pack("<H", 4000) + b"(" * 4000,
    "no end": header("(1, 2")[:-8],
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_hostile_headers_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("z"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", content + bytes(64))
    else:
        path.write_bytes(content + bytes(64))
    for read in (read_arrays, lambda path: ArrayFile(str(path)).read()):
        with pytest.raises(DataError, match=name) as caught:
            read(path)
        assert len(str(caught.value).splitlines()) == 1


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array that unpacks to more than may be read, and one whose declared size is false."""
    monkeypatch.setattr(memory, "machine", lambda: 8_000_000)
    content = header("(6000000,)") + bytes(6_000_000)
    for kind in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", kind) as archive:
            archive.writestr("a.npy", content)
        with pytest.raises(DataError, match=r"6\.0 MB are more than the 4\.0 MB that arrays may take|neither 'stored'"):
            read_arrays(tmp_path / "a.npz")
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match="more than the"):
        read_array(tmp_path / "a.npy")
    assert len(read_arrays(tmp_path / "a.npy", mapped=True)[""]) == 6_000_000
    monkeypatch.setenv(memory.VARIABLE, "20MB")
    assert len(read_array(tmp_path / "a.npy")) == 6_000_000


def test_a_zip_of_too_many_entries_is_not_listed(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.png", b"x")
    (tmp_path / "a.zip").write_bytes(stream.getvalue())
    with open_zip(tmp_path / "a.zip", most=51) as archive:
        assert archive.namelist() == ["a.png"]
    with pytest.raises(zipfile.BadZipFile, match="its list of entries has 51 bytes; expected at most 50"):
        open_zip(tmp_path / "a.zip", most=50)
    with pytest.raises(zipfile.BadZipFile, match="not a zip"):
        open_zip(Path(__file__))


def test_arrays_are_read_as_before(tmp_path: Path) -> None:
    arrays = {"images": np.arange(24).reshape(2, 3, 4), "labels": np.array([1.5, 2]), "names": np.array(["a", "bc"])}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    assert all((found[name] == arrays[name]).all() for name in arrays)
    np.save(tmp_path / "a.npy", np.asfortranarray(arrays["images"]))
    assert (read_array(tmp_path / "a.npy") == arrays["images"]).all()
