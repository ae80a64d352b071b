"""Results of two commands that write to one place, or of one that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gantk.errors import UsageError, WorkError
from gantk.report.outputs import claimed, writable, write_aside, write_folder

HOLD = """
import sys
from pathlib import Path
from gantk.report.outputs import claimed
with claimed(Path(sys.argv[1]), folder=sys.argv[2] == "folder") as aside:
    if aside.is_dir():
        (aside / "000000.png").write_bytes(b"theirs")
    print("ready", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECTORY"), reason="Windows: what is open cannot be renamed")


def write(path: Path, content: bytes = b"mine") -> None:
    if path.suffix:
        write_aside(path, lambda file: file.write(content))
    else:
        write_folder(path, iter([("000000.png", content)]))


def read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else (path / "000000.png").read_bytes()


@pytest.fixture(params=["grid.png", "folder"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Another process, which is writing to a place."""
    place = tmp_path / request.param
    kind = "file" if place.suffix else "folder"
    command = [sys.executable, "-c", HOLD, str(place), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process, place
        process.kill()


def test_of_two_one_wins_and_what_a_killed_one_left_is_removed(other: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, place = other
    for _ in range(2):
        with pytest.raises(WorkError, match=rf"{place.name} is being written by another process: wait for it, or"):
            write(place)
    assert [entry.name for entry in place.parent.iterdir()] == [f".unfinished-{place.name}"]
    process.kill()
    process.wait()
    assert [entry.name for entry in place.parent.iterdir()] == [f".unfinished-{place.name}"], "it left that"
    write(place)
    assert [entry.name for entry in place.parent.iterdir()] == [place.name]
    assert read(place) == b"mine"


@pytest.mark.parametrize("name", ["grid.png", "folder", "deep/er/grid.png", "deep/er/folder"])
def test_a_claim_lasts_until_its_end_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    with claimed(place, folder=not place.suffix):
        write(place)
        assert read(place) == b"mine"
    with pytest.raises(KeyError), claimed(tmp_path / "other" / name, folder=not place.suffix):
        raise KeyError
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [
        place if place.is_file() else place / "000000.png"
    ]
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["grid.png", "folder"])
@pytest.mark.parametrize("what", ["link", "broken link", "pipe", "folder", "file"])
def test_what_lies_in_the_way_is_removed_and_not_followed(what: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("three years of work")
    aside = tmp_path / f".unfinished-{name}"
    match what:
        case "link":
            aside.symlink_to(tmp_path / "mine" if name == "folder" else tmp_path / "mine" / "thesis")
        case "broken link":
            aside.symlink_to(tmp_path / "new")
        case "pipe":
            os.mkfifo(aside)
        case "folder":
            (aside / "deep").mkdir(parents=True)
        case "file":
            aside.write_text("half")
    write(tmp_path / name)
    assert read(tmp_path / name) == b"mine"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(["mine", name])
    assert [path.read_text() for path in (tmp_path / "mine").iterdir()] == ["three years of work"]


def test_a_pipe_is_no_place_for_a_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "grid.png")
    with pytest.raises(UsageError, match=r"grid\.png: it is a pipe, not a file: choose another path"):
        writable(tmp_path / "grid.png")
