"""The manifest of a checkpoint: what it says, and everything that is no whole checkpoint by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gantk.errors import CheckpointError, DamagedCheckpoint, ForeignCheckpoint
from gantk.run import manifest
from gantk.run.manifest import Writing, named_step, read_manifest

WRITTEN = """{
 "format": 1,
 "gantk": "0.1.0",
 "torch": "2.13.0",
 "step": 6,
 "files": {
  "a": {
   "bytes": 5,
   "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
  }
 },
 "sha256": "9c689c6a83d6b016fefceb872162716892259af7a61a27338936358e72927c3d"
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint of step 6 of the files `a`, which is `hello`, and `b`."""
    found = tmp_path / "step-0000006"
    found.mkdir()
    writing = Writing(found)
    writing.write("a", [b"hel", memoryview(b"lo")])
    writing.write("b", [b"x" * 1000] * 100)
    writing.seal(6)
    return found


def sealed(folder: Path, *names: str) -> None:
    """Write a manifest of files that are not there, whatever their names."""
    writing = Writing(folder)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        writing.write(name, [b"hello"])
    writing.seal(6)


@pytest.mark.parametrize("sizes", [[], [0], [3, 5], [70_000], [3, 70_000, 5], [40_000, 40_000, 1], [1, 65_536, 65_535]])
def test_files_hold_all_pieces_in_order(sizes: list[int], tmp_path: Path) -> None:
    pieces = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    writing = Writing(tmp_path)
    writing.write("some", iter(pieces))
    writing.seal(1)
    assert (tmp_path / "some").read_bytes() == b"".join(pieces)
    entry = json.loads((tmp_path / manifest.MANIFEST).read_text())["files"]["some"]
    assert entry == {"bytes": sum(sizes), "sha256": hashlib.sha256(b"".join(pieces)).hexdigest()}


def test_what_this_version_writes_can_always_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    (tmp_path / "manifest.json").write_text(WRITTEN)
    found = read_manifest(tmp_path)
    assert (found.step, found.read("a", bytes)) == (6, b"hello")
    found.check_lengths()


def test_it_says_what_wrote_it(folder: Path) -> None:
    said = json.loads((folder / "manifest.json").read_text())
    assert said["torch"] == torch.__version__
    assert list(said) == ["format", "gantk", "torch", "step", "files", "sha256"]


def test_pieces_are_one_file_however_many_wait_to_be_hashed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "AHEAD", 1500)
    other = tmp_path / "step-0000007"
    other.mkdir()
    writing = Writing(other)
    writing.write("b", [bytes([n]) * 1000 for n in range(100)])
    writing.seal(7)
    assert read_manifest(other).read("b", bytes) == b"".join(bytes([n]) * 1000 for n in range(100))
    assert read_manifest(folder).read("b", len) == 100_000


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"!")


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    size = path.stat().st_size
    text = (path.parent / "manifest.json").read_text().replace('"bytes": 5', f'"bytes": {size}')
    body = {name: value for name, value in json.loads(text).items() if name != "sha256"}
    (path.parent / "manifest.json").write_bytes(manifest._rendered(body))


def link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (longer, "it has 6 bytes, but 5 were written"),
        (Path.unlink, "it is missing"),
        (directory, "it is not a file"),
        (link, "it is not a file"),
    ],
)
def test_lengths_are_checked_without_reading(damage: Callable[[Path], object], said: str, folder: Path) -> None:
    damage(folder / "a")
    with pytest.raises(DamagedCheckpoint, match=rf"step-0000006/a is damaged: {said}"):
        read_manifest(folder).check_lengths()


def test_a_file_of_another_length_is_not_read_to_its_end(folder: Path) -> None:
    longer(folder / "a")
    with pytest.raises(DamagedCheckpoint, match="a is damaged: it has 6 bytes, but 5 were written"):
        read_manifest(folder).read("a", bytes)


def test_a_file_that_it_does_not_name_is_not_read(folder: Path) -> None:
    (folder / "c").write_bytes(b"hello")
    with pytest.raises(DamagedCheckpoint, match=r"c is damaged: manifest\.json does not name it"):
        read_manifest(folder).read("c", bytes)


def refuse(content: bytes) -> None:
    raise ValueError("no such format")


def test_what_cannot_be_parsed_is_damage_and_other_content_is_said_first(folder: Path) -> None:
    with pytest.raises(DamagedCheckpoint, match="no such format"):
        read_manifest(folder).read("a", refuse)
    (folder / "a").write_bytes(b"hallo")
    with pytest.raises(DamagedCheckpoint, match="its SHA-256 differs"):
        read_manifest(folder).read("a", refuse)


def test_a_file_longer_than_any_is_not_read(folder: Path) -> None:
    assert read_manifest(folder).read("a", bytes, most=5) == b"hello"
    with pytest.raises(ForeignCheckpoint, match="it has 5 bytes; expected at most 4"):
        read_manifest(folder).read("a", bytes, most=4)


def test_a_manifest_longer_than_any_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "LARGEST", (folder / "manifest.json").stat().st_size)
    read_manifest(folder)
    monkeypatch.setattr(manifest, "LARGEST", (folder / "manifest.json").stat().st_size - 1)
    with pytest.raises(ForeignCheckpoint, match=r"manifest\.json .*it has \d+ bytes; expected at most"):
        read_manifest(folder)


def test_a_file_that_nobody_may_read_now_is_no_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_manifest(folder)

    for error, reason in ((PermissionError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")):

        def failing(path: Path, error: OSError = error) -> None:
            raise error

        monkeypatch.setattr(manifest, "open_file", failing)
        with pytest.raises(CheckpointError, match=rf"step-0000006/a cannot be read: {reason}\.$") as caught:
            found.read("a", bytes)
        assert not isinstance(caught.value, DamagedCheckpoint)


def test_a_link_to_a_checkpoint_is_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(DamagedCheckpoint, match="its folder is a link"):
        read_manifest(tmp_path / "link")


def test_files_lie_in_the_folder_itself(tmp_path: Path) -> None:
    found = tmp_path / "step-0000006"
    found.mkdir()
    sealed(found, "a", "b/c")
    with pytest.raises(DamagedCheckpoint, match="its content is not what was written"):
        read_manifest(found)


def test_only_a_checkpoint_that_never_had_one_is_read_without(folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(DamagedCheckpoint, match="it is missing"):
        read_manifest(folder)
    (folder / "training.pt").touch()
    assert read_manifest(folder).files is None
    for name in ("training.json", "optimizers.safetensors"):
        (folder / name).touch()
        with pytest.raises(DamagedCheckpoint, match="it is missing"):
            read_manifest(folder)
        (folder / name).unlink()
    assert read_manifest(tmp_path).files is None, "weights to start from"


def test_the_folder_is_named_for_its_step(folder: Path, tmp_path: Path) -> None:
    read_manifest(folder).check_step()
    other = folder.rename(tmp_path / "step-0000007")
    with pytest.raises(DamagedCheckpoint, match="it is of step 6, not 7"):
        read_manifest(other).check_step()
    copy = other.rename(tmp_path / "copy of step-6")
    read_manifest(copy).check_step()
    assert (named_step(other), named_step(copy)) == (7, None)
