"""Downloads: only on request, only the right bytes, nothing left behind. A server on loopback stands for the net."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from gantk.errors import DataError
from gantk_data import download
from gantk_data.download import Remote, fetch
from gantk_data.idx import MNIST

FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def mnist_served(served, monkeypatch) -> str:
    url, folder = served
    arrays = np.zeros((4, 28, 28), np.uint8), np.arange(4, dtype=np.uint8)
    for name, array in zip(FILES, arrays, strict=True):
        shape = b"".join(e.to_bytes(4, "big") for e in array.shape)
        (folder / name).write_bytes(gzip.compress(bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()))
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in FILES}
    monkeypatch.setattr(MNIST, "mirrors", (url,))
    monkeypatch.setattr(MNIST, "md5", sums)
    return url


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_nothing_is_fetched_unasked(mnist_served, tmp_path):
    with pytest.raises(DataError, match="download=true"):
        MNIST(path=tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_fetches_once_and_reads(mnist_served, tmp_path, monkeypatch):
    assert len(MNIST(path=tmp_path / "root", download=True)) == 4
    assert left(tmp_path / "root" / "mnist") == sorted(FILES)
    monkeypatch.setattr(MNIST, "mirrors", ())
    assert MNIST(path=tmp_path / "root", download=True).labels([3]).tolist() == [3]


def test_a_wrong_checksum_keeps_nothing(mnist_served, tmp_path, monkeypatch):
    monkeypatch.setattr(MNIST, "md5", dict.fromkeys(FILES, "0" * 32))
    with pytest.raises(DataError, match="MD5") as caught:
        MNIST(path=tmp_path / "root", download=True)
    assert FILES[0] in str(caught.value)
    assert left(tmp_path / "root") == []


def test_a_second_mirror_is_asked(mnist_served, tmp_path, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ("http://127.0.0.1:1/", mnist_served + "nowhere/", mnist_served))
    assert len(MNIST(path=tmp_path / "root", download=True)) == 4


def test_offline_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ("http://127.0.0.1:1/",))
    with pytest.raises(DataError, match="by hand"):
        MNIST(path=tmp_path / "root", download=True)
    assert left(tmp_path / "root") == []


def test_too_long_is_given_up(served, tmp_path):
    url, folder = served
    (folder / "x").write_bytes(bytes(1000))
    remote = Remote("set", "x", (url,), hashlib.md5(bytes(1000)).hexdigest(), limit=999)
    with pytest.raises(DataError, match="longer than 999"):
        fetch(remote, tmp_path / "out")
    assert left(tmp_path / "out") == []


def test_a_silent_mirror_times_out(tmp_path, monkeypatch):
    import socket

    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote = Remote("set", "x", (f"http://127.0.0.1:{silent.getsockname()[1]}/",), "", 10)
        with pytest.raises(DataError, match="timed out"):
            fetch(remote, tmp_path / "out")


def test_an_unwritable_root_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        fetch(Remote("set", "x", ("http://127.0.0.1:1/",), "", 10), tmp_path / "file" / "below")
