"""Files that are opened and replaced, and locks between processes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gantk.files import open_file, read_whole, remove, remove_unfinished, replace_file
from gantk.locks import Lock, Taken

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system with pipes and links")


def test_a_file_is_read_and_a_link_only_where_it_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_whole(tmp_path / "file") == read_whole(tmp_path / "link", links=True) == b"content"
    with pytest.raises(OSError, match="it is a link, not a file") as error:
        open_file(tmp_path / "link")
    assert error.value.errno == errno.ELOOP
    with pytest.raises(OSError, match="it has 7 bytes; expected at most 6"):
        read_whole(tmp_path / "file", 6)


def test_what_was_replaced_stays_where_it_is_linked(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    os.link(tmp_path / "mine", tmp_path / "hard")
    for name in ("link", "hard"):
        replace_file(tmp_path / name, b"new")
        assert read_whole(tmp_path / name) == b"new"
    assert read_whole(tmp_path / "mine") == b"mine"
    assert len(list(tmp_path.iterdir())) == 3


def test_what_a_killed_process_left_of_a_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    names = (".unfinished-*.json-ab", ".unfinished-x.json-ab", ".unfinished-other", "*.json", "x.json-ab")
    for name in names:
        (tmp_path / name).write_text("half")
    (tmp_path / ".unfinished-*.json-link").symlink_to(tmp_path / "kept")
    remove_unfinished(tmp_path / "*.json")
    assert {entry.name for entry in tmp_path.iterdir()} == {"kept", *names[1:]}


def test_removing_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("folder", "link", "nothing"):
        remove(tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_a_lock_is_of_one_process_and_ends_with_it(tmp_path: Path) -> None:
    hold = "import sys; from pathlib import Path; from gantk.locks import Lock\n"
    hold += "Lock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(Taken):
            Lock(tmp_path / "lock", patience=0).acquire()
        process.kill()
    with Lock(tmp_path / "lock", patience=0), pytest.raises(Taken):
        Lock(tmp_path / "lock", patience=0).acquire()
    Lock(tmp_path / "lock", patience=0).acquire()


def test_a_lock_is_not_waited_for_forever_if_the_clock_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    monkeypatch.setattr("time.sleep", pauses.append)
    with Lock(tmp_path / "lock"), pytest.raises(Taken):
        Lock(tmp_path / "lock", patience=2).acquire()
    assert 2 <= sum(pauses) < 2.1


def test_a_lock_changes_no_file(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "mine").chmod(0o600)
    os.link(tmp_path / "mine", tmp_path / "hard")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    os.mkfifo(tmp_path / "pipe")
    with Lock(tmp_path / "hard"):
        assert read_whole(tmp_path / "mine") == b"mine"
        assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=f"it is a {name}, not a file"):
            Lock(tmp_path / name, patience=0).acquire()


def test_a_lock_whose_file_was_deleted_is_taken_anew(tmp_path: Path) -> None:
    """As by the process that held it."""
    with Lock(tmp_path / "lock"):
        (tmp_path / "lock").unlink()
        with Lock(tmp_path / "lock", patience=0):
            assert (tmp_path / "lock").exists()
