"""A pipe, a socket, a device or a folder where a file of data is expected is refused at once, and never waited for."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gantk
from gantk.data import read_array
from gantk.data.features import ArrayFile
from gantk.data.npy import read_arrays
from gantk.errors import GantkError
from gantk_metrics.fidelity import read_weights

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system with pipes")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the paths of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


MADE = (pipe, listening, device, folder)


def a_run(path: Path) -> Any:
    return gantk.load(path)


READ: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "--data PATH": ("it.png", lambda path: gantk.build(data=str(path))),
    "--data PATH without a suffix": ("it", lambda path: gantk.build(data=f"files:path=[{str(path)!r}]")),
    "zip": ("it.zip", lambda path: gantk.construct("data", {"plugin": "zip", "path": str(path)})),
    "labels": ("labels.npy", lambda path: gantk.construct("data", f"folder:{path.parent},labels={path}").labels([0])),
    "npy": ("it.npy", read_array),
    "npz": ("it.npz", lambda path: read_arrays(path, mapped=True)),
    "points": ("it.npy", lambda path: ArrayFile(str(path))),
    "idx": ("train-images-idx3-ubyte", lambda path: gantk.construct("data", f"mnist:path={path.parent}")),
    "cifar10": ("data_batch_1.bin", lambda path: gantk.construct("data", f"cifar10:path={path.parent}")),
    "weights": ("it.pth", read_weights),
    "code": ("it.py", lambda path: gantk.build(generator=f"{path}:Mine")),
    "run": ("it", a_run),
}


class TooLate(BaseException):
    """Which nobody takes for a damaged file."""


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TooLate("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("what", READ)
@pytest.mark.parametrize("made", MADE)
def test_what_is_no_file_is_refused(made: Callable[[Path], None], what: str, tmp_path: Path) -> None:
    name, read = READ[what]
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "image.png")
    made(tmp_path / name)
    with pytest.raises(GantkError) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("made", MADE[:3])
@pytest.mark.parametrize("name", ["it", "it.png", "deep/it.png", ".it.png"])
def test_a_folder_of_images_is_read_without_them_or_refused(
    name: str, made: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "image.png")
    made(tmp_path / name)
    if name.rpartition("/")[2] == "it.png":
        with pytest.raises(GantkError, match=r"it\.png: not a regular file; remove it"):
            gantk.construct("data", {"plugin": "folder", "path": str(tmp_path)})
    else:
        with pytest.warns(UserWarning, match="1 file was left out"):
            assert len(gantk.construct("data", {"plugin": "folder", "path": str(tmp_path)})) == 1
