"""The manifest of a checkpoint: what its files are, so that a damaged checkpoint is never taken for a whole one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from gantk import json_text
from gantk.errors import CheckpointError, DamagedCheckpoint, ForeignCheckpoint, briefly
from gantk.files import flush_folder, open_file
from gantk.memory import most_for_files
from gantk.run.former import TRAINING_PT
from gantk.run.hashing import hashing

__all__ = ["MANIFEST", "Manifest", "Writing", "named_step", "read_manifest"]

T = TypeVar("T")

MANIFEST = "manifest.json"
FORMAT = 1
"""The version of the format of checkpoints that this gantk writes."""
FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
"""Names of a checkpoint's files."""
LARGEST = 1 << 20
"""Bytes that a manifest has at most."""
AHEAD = 1 << 28
"""Bytes that are written before they are hashed, at most: pieces that are copies from a GPU are kept so long."""
SMALL = 1 << 16
"""Bytes below which pieces are put together."""
DAMAGE = {
    errno.ENOENT: "it is missing",
    **dict.fromkeys((errno.EISDIR, errno.ENXIO, errno.ELOOP, errno.ENOTDIR, errno.EIO), ""),
}
"""Errors by which a file is damaged, and not just unreadable for this user at this moment, and what is said then."""


@dataclass(frozen=True)
class Entry:
    """What a file is."""

    bytes: int
    sha256: str


class Writing:
    """Writes the files of a folder that does not exist yet under its final name, and its manifest last.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, tuple[int, hashlib._Hash]] = {}
        self._ahead: deque[Future[int]] = deque()
        self._bytes_ahead = 0

    def write(self, name: str, pieces: Iterable[bytes | memoryview]) -> None:
        """Write a file; digests are computed meanwhile in another thread, at the latest when the manifest is written.

        Args:
            name: the file's name.
            pieces: its content, which stays as it is until then.
        """
        digest, length = hashlib.sha256(), 0
        with (self._folder / name).open("xb") as file:
            for piece in _joined(pieces):
                self._ahead.append(hashing().submit(_hash, digest, piece))
                self._bytes_ahead += len(piece)
                file.write(piece)
                length += len(piece)
                while self._bytes_ahead > AHEAD:
                    self._bytes_ahead -= self._ahead.popleft().result()
            file.flush()
            os.fsync(file.fileno())
        self._files[name] = length, digest

    def seal(self, step: int) -> None:
        """Write the manifest; from now on, the folder is whole."""
        for each in self._ahead:
            each.result()
        entries = {name: Entry(length, digest.hexdigest()) for name, (length, digest) in self._files.items()}
        about = {"format": FORMAT, "gantk": version("gantk"), "torch": str(torch.__version__), "step": step}
        content = _rendered({**about, "files": {name: asdict(entry) for name, entry in entries.items()}})
        with (self._folder / MANIFEST).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        flush_folder(self._folder)


def _joined(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | bytearray | memoryview]:
    """Pieces, with small ones copied together, since each costs another thread's time."""
    together = bytearray()
    for piece in pieces:
        if len(piece) < SMALL:
            together += piece
        if together and (len(together) >= SMALL or len(piece) >= SMALL):
            yield together
            together = bytearray()
        if len(piece) >= SMALL:
            yield piece
    if together:
        yield together


def _hash(digest: hashlib._Hash, piece: bytes | bytearray | memoryview) -> int:
    """Add a piece to a digest; the number of its bytes."""
    digest.update(piece)
    return len(piece)


def _rendered(body: Mapping[str, Any]) -> bytes:
    """A manifest's content, whose last entry is the digest of the others."""
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    return json.dumps({**body, "sha256": digest}, indent=1).encode() + b"\n"


@dataclass(frozen=True)
class Manifest:
    """The files of a checkpoint's folder.

    Args:
        folder: the folder.
        step: the step after which it was written.
        files: name → what it is; `None` for checkpoints of earlier versions, which had no manifest.
    """

    folder: Path
    step: int | None
    files: Mapping[str, Entry] | None

    def check_step(self) -> None:
        """Check that the folder is named for the step that this was written after.

        Raises:
            DamagedCheckpoint: it is named for another step.
        """
        named = named_step(self.folder)
        if named is not None and self.step not in (None, named):
            raise DamagedCheckpoint(self.folder / MANIFEST, f"it is of step {self.step}, not {named}")

    def check_lengths(self) -> None:
        """Check that every file is there and as long as it was written, without reading it.

        Raises:
            DamagedCheckpoint: a file is missing, or has another length.
        """
        for name, entry in (self.files or {}).items():
            path = self.folder / name
            try:
                found = path.lstat()
            except FileNotFoundError:
                raise DamagedCheckpoint(path, "it is missing") from None
            if not stat.S_ISREG(found.st_mode):
                raise DamagedCheckpoint(path, "it is not a file")
            if found.st_size != entry.bytes:
                raise DamagedCheckpoint(path, f"it has {found.st_size} bytes, but {entry.bytes} were written")

    def read(self, name: str, parse: Callable[[bytes], T], most: int | None = None) -> T:
        """What a file says, if its content is what was written.

        Args:
            name: the file.
            parse: makes something of its content, without consequences, and raises `ValueError` if it cannot.
            most: its greatest sensible length in bytes; by default what a model of this machine may have.

        Raises:
            DamagedCheckpoint: it is missing, or its content is not what was written.
            ForeignCheckpoint: it is longer than that.
            CheckpointError: it cannot be read.
        """
        path = self.folder / name
        entry = None if self.files is None else self.files.get(name)
        if self.files is not None and entry is None:
            raise DamagedCheckpoint(path, f"{MANIFEST} does not name it")
        content = _content(path, most_for_files() if most is None else most, entry.bytes if entry else None)
        digest = hashing().submit(hashlib.sha256, content) if entry else None
        found, fault = None, None
        try:
            found = parse(content)
        except ValueError as error:
            fault = error
        if entry and digest and digest.result().hexdigest() != entry.sha256:
            raise DamagedCheckpoint(path, "its content is not what was written (its SHA-256 differs)")
        if fault is not None:
            raise DamagedCheckpoint(path, briefly(fault)) from fault
        return cast(T, found)


def named_step(folder: Path) -> int | None:
    """The step that a checkpoint's folder is named for; `None` for other folders."""
    named = re.fullmatch(r"step-(\d+)", folder.name)
    return int(named.group(1)) if named else None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint's folder.

    Raises:
        DamagedCheckpoint: it is missing or damaged.
        CheckpointError: it cannot be read, or was written by a later version.
    """
    path = folder / MANIFEST
    if folder.is_symlink():
        raise DamagedCheckpoint(path, "its folder is a link")
    if not path.exists() and _former(folder):
        return Manifest(folder, None, None)
    content = _content(path, LARGEST)
    try:
        body = json_text.loads(content)
        form, writer = int(body["format"]), str(body["gantk"])
        files = {str(name): Entry(int(each["bytes"]), str(each["sha256"])) for name, each in body["files"].items()}
        found = Manifest(folder, int(body["step"]), files)
        whole = content == _rendered({name: value for name, value in body.items() if name != "sha256"})
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedCheckpoint(path, f"it is no manifest ({type(error).__name__})") from error
    if not whole or not all(FILE.fullmatch(name) for name in files):
        raise DamagedCheckpoint(path, "its content is not what was written")
    if form > FORMAT:
        raise CheckpointError(f"{folder} was written by gantk {writer}, which is newer than this one: update gantk.")
    return found


def _former(folder: Path) -> bool:
    """Whether an earlier version wrote a checkpoint without a manifest, and not one whose manifest was lost since."""
    if any((folder / name).exists() for name in ("training.json", "optimizers.safetensors")):
        return False
    return (folder / TRAINING_PT).exists() or named_step(folder) is None  # weights to start from had no other file


def _content(path: Path, most: int | None, length: int | None = None) -> bytes:
    """The content of a regular file, which is not a link to another one."""
    try:
        with open_file(path) as file:
            found = os.fstat(file.fileno()).st_size
            if length not in (None, found):
                raise DamagedCheckpoint(path, f"it has {found} bytes, but {length} were written")
            if most is not None and found > most:
                raise ForeignCheckpoint(path, f"it has {found} bytes; expected at most {most}")
            return file.read(found)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in DAMAGE:
            raise DamagedCheckpoint(path, DAMAGE[error.errno] or reason) from error
        raise CheckpointError(f"{path} cannot be read: {reason}.") from error
