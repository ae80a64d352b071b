"""Arrays in files that are mapped into memory: full disks and files that are cut short are errors, and end nothing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded, pixels
from torch import Tensor

from gantk.data import ArraySource, as_source, cache_aside, mapped_file, mapped_temporary
from gantk.errors import DataError, WorkError
from gantk.evaluation.array_files import array_source
from gantk.locks import Lock
from gantk.measures.side import Side
from gantk.ops import native
from gantk.parts import Extractor
from gantk_data import store
from gantk_data.images import Folder


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "MEMORY_LIMIT", 100)
    for index in range(4):
        (tmp_path / f"{index}.png").write_bytes(encoded(pixels(index)))
    return tmp_path


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


@pytest.mark.parametrize("native", [True, False])
def test_space_is_reserved_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    if not native:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    made = mapped_file(tmp_path / "x.npy", np.float32, (700, 999))
    if hasattr(os.stat_result, "st_blocks"):
        assert (tmp_path / "x.npy").stat().st_blocks * 512 >= made.nbytes
    made[:] = 3
    made.flush()
    assert np.load(tmp_path / "x.npy").sum() == 3 * 700 * 999
    assert mapped_temporary(np.uint8, (5, 7)).sum() == 0


def test_a_full_disk_is_one_line_and_nothing_stays(pictures: Path, full: None) -> None:
    with pytest.raises(DataError, match=r"No space left on device.*set GANTK_CACHE to a folder with enough space"):
        Folder(path=pictures).images([0])
    assert cached(pictures) == []


class Means(Extractor):
    dim = 3

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def test_features_without_space_are_one_line(tmp_path: Path, full: None) -> None:
    source = as_source(np.zeros((4, 3, 2, 2), np.uint8))
    assert source is not None
    for folder, variable in ((None, "TMPDIR"), (tmp_path / "features", "GANTK_CACHE")):
        with pytest.raises(WorkError, match=f"No space left on device.; set {variable}"):
            Side(source, Means(), folder=folder).features  # noqa: B018
    assert list((tmp_path / "features").iterdir()) == []


def test_what_killed_processes_left_is_removed_but_not_what_others_write(pictures: Path) -> None:
    left, busy = (pictures / "cache" / f".{'0' * 31}{number}.tmpabc" for number in (1, 2))
    for folder in (left, busy):
        folder.mkdir(parents=True)
        (folder / "images.npy").write_bytes(b"half")
    with Lock(busy / "lock"):
        Folder(path=pictures).images([0])
    names = cached(pictures)
    assert len(names) == 2
    assert busy.name in names
    with pytest.raises(RuntimeError, match="inside"), cache_aside(pictures / "cache" / "x"):
        raise RuntimeError("inside")
    assert len(cached(pictures)) == 1


def test_a_new_folder_that_another_process_takes_for_what_was_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Lock] = []
    make = tempfile.mkdtemp

    def made(**options: Any) -> str:
        path = make(**options)
        if not taken:
            taken.append(Lock(Path(path) / "lock"))
            taken[0].acquire()
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", made)
    with cache_aside(tmp_path / "x") as aside:
        assert aside != taken[0].path.parent
        assert aside.is_dir()
    taken[0].release()


@pytest.mark.parametrize("shape", [(60, 8, 9), (60, 8, 9, 3)])
def test_a_mapped_file_that_is_cut_short_while_it_is_read_is_named(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "images.npy"
    np.save(path, np.ones(shape, np.uint8))
    source = ArraySource(np.load(path, mmap_mode="r"), channels_last=len(shape) == 4)
    assert int(source.images([59]).sum()) == np.prod(shape[1:])
    os.truncate(path, path.stat().st_size // 2)
    for read in (lambda: source.images([59]), source.digest):
        with pytest.raises(DataError, match="the file was cut short while it was in use"):
            read()


def test_a_truncated_file_is_refused_before_it_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    np.save(path, np.ones((60, 8, 9, 3), np.uint8))
    os.truncate(path, 5000)
    with pytest.raises(DataError, match="declares 12960 bytes but has 4872"):
        array_source(str(path))


IN_USE = """
import os, sys
from pathlib import Path
from gantk.data import map_file
if sys.argv[2] == "command":
    from gantk.interrupts import handle
    handle()
images = map_file(Path(sys.argv[1]))
os.truncate(sys.argv[1], 200)
print(images.sum())
"""


@pytest.mark.skipif(not native.available("cpu"), reason="native code is not built")
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not list what is mapped")
@pytest.mark.parametrize("kind", ["command", "library"])
def test_a_command_whose_mapped_file_is_cut_between_two_pages_ends_with_a_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it's\x1b[31m räd.npy"
    np.save(path, np.ones((60, 80, 90), np.uint8))
    ended = subprocess.run([sys.executable, "-c", IN_USE, str(path), kind], capture_output=True, text=True, check=False)
    if kind == "library":  # Python's programs have their own handlers of signals
        assert (ended.returncode, ended.stderr) == (-signal.SIGBUS, "")
        return
    shown = str(path).replace("\x1b", "?")
    cut = f"Error: {shown} was cut short while it was in use, or its disk failed: "
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == cut + "write it again, under another name if a training uses it.\n"
