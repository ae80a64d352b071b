"""Where results go: a temporary file or folder beside them, of one process alone, is renamed once it is whole."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from gantk.errors import UsageError, WorkError
from gantk.files import UNFINISHED, check_file, remove
from gantk.locks import lock_descriptor

__all__ = ["claimed", "single", "writable", "write_aside", "write_folder"]

FILES = (".npy", ".npz", ".svg", ".avi", ".mov", ".mkv", ".webm", ".mp4", ".csv", ".txt", ".zip", ".tar", ".gz", ".pt")
"""Further suffixes that indicate a file, not a folder."""

LOCKED = hasattr(os, "O_DIRECTORY")
"""Whether what is written can be locked: elsewhere (Windows), what is open cannot be renamed."""

_claims: set[Path] = set()
"""What this process has claimed."""


def write_aside(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a temporary file and rename it, so that readers never see an incomplete file.

    Raises:
        WorkError: the file cannot be written, or another process is writing it.
    """
    try:
        with claimed(path) as aside:
            with aside.open("wb") as file:
                write(file)
            aside.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error


def write_folder(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files, which come one by one by name, to a temporary folder, and rename it, or move them into the folder.

    Raises:
        WorkError: the folder cannot be written, or another process is writing it.
    """
    try:
        with claimed(path, folder=True) as aside:
            for name, content in files:
                (aside / name).write_bytes(content)
            if path.is_dir():
                for file in sorted(aside.iterdir()):
                    file.replace(path / file.name)
            else:
                aside.rename(path)
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> WorkError:
    return WorkError(f"{path} cannot be written: {error.strerror or error}.")


@contextmanager
def claimed(path: Path, folder: bool = False) -> Iterator[Path]:
    """Create the temporary file or folder for what is to be at a path, for this process alone; the caller renames it.

    It is locked until it is renamed or the context ends, when it is removed with the folders that were created for it.
    What a killed process left in its place has no lock, and is removed. A context within one of the same path in this
    process has the same file.

    Args:
        path: the path of the result.
        folder: whether the result is a folder.

    Raises:
        WorkError: another process is writing there, or nothing can be written there.
    """
    aside = _aside_of(path)
    if aside in _claims:
        yield aside
        return
    made: list[Path] = []
    try:
        for each in [each for each in reversed(aside.parents) if not each.exists()]:
            each.mkdir(exist_ok=True)
            made.append(each)
        descriptor = _claim(aside, folder)
    except OSError as error:
        _remove_empty(made)
        raise _unwritten(path, error) from error
    if descriptor is None:
        _remove_empty(made)
        raise WorkError(f"{path} is being written by another process: wait for it, or choose another path.")
    _claims.add(aside)
    try:
        yield aside
    finally:
        _claims.discard(aside)
        with suppress(OSError):
            if not LOCKED or _same(
                descriptor, aside
            ):  # after it was renamed, another process may have one in its place
                remove(aside)
        os.close(descriptor)
        _remove_empty(made)


def _claim(aside: Path, folder: bool) -> int | None:
    """A descriptor of a new file or folder that this process has locked; `None` if another process has one there."""
    while True:
        try:
            if folder:
                aside.mkdir()
                descriptor = os.open(aside if LOCKED else os.devnull, os.O_RDONLY)
            else:
                descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if _is_written(aside):
                return None
            continue
        if not LOCKED:
            os.close(descriptor)
            return os.open(os.devnull, os.O_RDONLY)
        if _locked(descriptor) and _same(descriptor, aside):
            return descriptor
        os.close(descriptor)  # another process took it for that of a killed one


def _is_written(aside: Path) -> bool:
    """Whether a process is writing a temporary file or folder; it is removed if not."""
    try:
        if not aside.is_dir() or aside.is_symlink():
            check_file(aside)
        descriptor = os.open(aside if LOCKED else os.devnull, os.O_RDONLY)
    except OSError:  # something else, or gone
        remove(aside)
        return False
    try:
        if LOCKED and not _locked(descriptor):
            return True
        if not LOCKED or _same(descriptor, aside):
            remove(aside)
        return False
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock an open file or folder; a file system without locks is taken for one that only this process uses."""
    try:
        return lock_descriptor(descriptor)
    except OSError:
        return True


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_empty(folders: Sequence[Path]) -> None:
    with suppress(OSError):
        for each in reversed(folders):
            each.rmdir()


def _aside_of(path: Path) -> Path:
    """The temporary path of a file or folder: next to it, or inside a folder that exists already."""
    path = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    return (path if path.is_dir() else path.parent) / f"{UNFINISHED}{path.name}"


def writable(output: Path, suffixes: tuple[str, ...] = (".png", ".npz", ""), count: int = 0) -> bool:
    """Check an output path before any work is done.

    Args:
        output: where to write.
        suffixes: supported suffixes; `""` is a folder.
        count: number of single images to write into the folder.

    Returns:
        whether it is a folder.

    Raises:
        UsageError: the suffix is not supported, a file exists where a folder is expected or vice versa, a pipe or a
            device is there, or the folder contains other files.
    """
    suffix = output.suffix.lower()
    is_file = bool(suffix) and suffix in suffixes
    if not is_file and ("" not in suffixes or (_of_a_file(suffix, suffixes) and not output.is_dir())):
        names = [f"NAME{suffix}" if suffix else "the NAME of a folder" for suffix in suffixes]
        raise UsageError(f"-o {output}: expected {' or '.join(names)}.")
    if is_file and output.is_dir():
        raise UsageError(f"-o {output} is a folder; expected a file.")
    if output.exists() and not output.is_dir():
        try:
            check_file(output, links=True)
        except OSError as error:
            raise UsageError(f"-o {output}: {error.strerror}: choose another path.") from error
    folder = output.parent if is_file else output
    present = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if present.exists() and not present.is_dir():
        raise UsageError(f"-o {output}: {present} is a file; expected a folder.")
    if not is_file and output.is_dir():
        own = {single(index) for index in range(count)} | {_aside_of(output).name}
        others = sorted({entry.name for entry in output.iterdir()} - own)
        if others:
            raise UsageError(f"-o {output} contains other files, such as {others[0]}: use a new folder.")
    return not is_file


def _of_a_file(suffix: str, offered: Sequence[str]) -> bool:
    """Whether a suffix indicates a file, or a misspelled supported one: a folder can be called samples_0.5."""
    if not suffix:
        return False
    known = {*Image.registered_extensions(), *FILES}
    return suffix in known or bool(difflib.get_close_matches(suffix, filter(None, offered), n=1, cutoff=0.7))


def single(index: int) -> str:
    """The file name of one image in a folder, independent of the number of images."""
    return f"{index:06d}.png"
