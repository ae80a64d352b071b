"""List the image files of a folder or a zip, without decoding or extracting them."""

from __future__ import annotations

import os
import stat
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError, GantkWarning
from gantk_data.reading import shown
from gantk_data.recognition import HEAD, NOT_IMAGES, has_image_suffix, is_hidden, is_litter, looks_like_image

__all__ = ["FILE_LIMIT", "Files", "FolderFiles", "NamedFiles", "Opener", "Skips"]

FILE_LIMIT = 1 << 28
"""Maximum size of one encoded image in bytes."""

Opener = Callable[[str], IO[bytes]]


class Skips:
    """Files that are not used, counted by reason and reported in one warning.

    An unusable image raises its error, or is skipped if that is allowed.

    Args:
        allowed: whether files may be skipped.
        offered: whether the user can allow it, so that errors mention the option.
    """

    def __init__(self, allowed: bool, offered: bool = True) -> None:
        self.allowed = allowed
        self.offered = offered
        self._skipped: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._first = self._example = ""
        self.archive = ""
        """The first zip among what was left out."""

    @property
    def count(self) -> int:
        """How many files were skipped."""
        return self._skipped.total()

    def leave_out(self, name: str, reason: str) -> None:
        """Count a file that is not an image of the set."""
        self._left_out[reason] += 1
        self._example = self._example or shown(name)
        if name.lower().endswith(".zip"):
            self.archive = self.archive or name

    def skip(self, count: int, reason: str) -> None:
        """Count files that an earlier decoding could not use."""
        if count:
            self._skipped[reason] += count

    def refuse(self, error: DataError, reason: str, mend: str = "") -> None:
        """Raise the error, with a further mend, or count it under its reason."""
        if not self.allowed:
            if mend:
                raise DataError(f"{str(error).removesuffix('.')}, {mend}.") from error
            raise error
        self._skipped[reason] += 1
        self._first = self._first or str(error)

    def refuse_image(self, error: DataError) -> None:
        """As `refuse`, for an image that cannot be decoded; the error names the option that skips it."""
        mend = "or set skip=true to skip and count such files" if self.offered else ""
        self.refuse(error, "cannot be decoded", mend)

    def summary(self) -> str:
        """What was left out and what was skipped, with an example of each; empty if nothing was."""
        said = []
        if self._left_out:
            said.append(
                f"{_files(self._left_out.total())} left out, for example {self._example} ({_reasons(self._left_out)})"
            )
        if self.count:
            said.append(f"{_files(self.count)} skipped ({_reasons(self._skipped)})")
        if self._first:
            said.append(f"the first: {self._first}")
        return "; ".join(said)

    def report(self, where: Path) -> None:
        """Warn once about everything that was left out or skipped."""
        if said := self.summary():
            warnings.warn(f"{shown(where)}: {said}", GantkWarning, stacklevel=4)


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count} files were"


def _reasons(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


class Files(ABC):
    """Encoded images by name; names are relative, with `/`, and sorted."""

    where: Path
    names: list[str]

    @abstractmethod
    def title(self, name: str) -> str:
        """The name of a file in errors."""

    @abstractmethod
    def stamp(self) -> object:
        """Plain values that change when a file does."""

    @abstractmethod
    def average_size(self) -> float:
        """Bytes of an encoded image, on average."""

    @abstractmethod
    def opener(self) -> AbstractContextManager[Opener]:
        """A function that opens a file by name, from any thread."""

    def labels(self) -> npt.NDArray[np.int64] | None:
        """The classes of the images, in the order of names, if the files say so other than by their folders.

        Raises:
            DataError: what they say is damaged or incomplete.
        """
        return None


class FolderFiles(Files):
    """The images below a folder; symbolic links are followed, each folder once."""

    def __init__(self, root: Path, skips: Skips) -> None:
        if root.is_file():
            raise DataError(f"{shown(root)}: a file, not a folder; omit 'folder:', as in --data {shown(root)}.")
        if not root.is_dir():
            raise DataError(f"{shown(root)}: no such folder; set path=FOLDER to the folder that holds the images.")
        self.where = root
        self._stats: dict[str, tuple[int, int]] = {}
        self._scan(skips)
        self.names = sorted(self._stats)

    def _scan(self, skips: Skips) -> None:
        seen: dict[tuple[int, int], Path] = {}
        waiting = [self.where]
        while waiting:
            folder = waiting.pop()
            try:
                self._enter(folder, seen)
                with os.scandir(folder) as entries:
                    wanted = sorted((e for e in entries if not is_litter([e.name])), key=lambda e: e.name)
                waiting += [Path(entry.path) for entry in wanted if self._take(entry, skips)]
            except OSError as error:
                skips.refuse(DataError(f"{shown(folder)}: cannot be listed ({error.strerror})."), "cannot be listed")
            except DataError as error:
                skips.refuse(error, "the same folder twice")

    def _enter(self, folder: Path, seen: dict[tuple[int, int], Path]) -> None:
        status = folder.stat()
        other = seen.setdefault((status.st_dev, status.st_ino), folder)
        if other != folder:
            raise DataError(
                f"{shown(folder)}: the same folder as {shown(other)}, through a symbolic link; remove the link."
            )

    def _take(self, entry: os.DirEntry[str], skips: Skips) -> bool:
        """Record an image; return whether the entry is a folder to search."""
        promised = has_image_suffix(entry.name)
        if is_hidden([entry.name]):
            if promised:
                skips.leave_out(entry.name, "hidden")
            return False
        try:
            status = entry.stat()
        except OSError as error:
            if promised:
                where = shown(entry.path)
                skips.refuse(DataError(f"{where}: cannot be read ({error.strerror}); remove it."), "cannot be read")
            return False
        if stat.S_ISDIR(status.st_mode):
            return True
        regular = stat.S_ISREG(status.st_mode)
        if not promised and not (regular and _begins_like_image(entry.path)):
            skips.leave_out(entry.name, NOT_IMAGES)
        elif not regular:
            skips.refuse(DataError(f"{shown(entry.path)}: not a regular file; remove it."), "not a regular file")
        elif status.st_size > FILE_LIMIT:
            size = f"{status.st_size} bytes; expected at most {FILE_LIMIT}"
            skips.refuse(DataError(f"{shown(entry.path)}: {size}."), "too large")
        else:
            name = Path(entry.path).relative_to(self.where).as_posix()
            self._stats[name] = (status.st_size, status.st_mtime_ns)
        return False

    def title(self, name: str) -> str:
        return shown(self.where / name)

    def stamp(self) -> object:
        return [(name, *self._stats[name]) for name in self.names]

    def average_size(self) -> float:
        return sum(size for size, _ in self._stats.values()) / max(len(self._stats), 1)

    @contextmanager
    def opener(self) -> Iterator[Opener]:
        def open_file(name: str) -> IO[bytes]:
            try:
                return (self.where / name).open("rb")
            except OSError as error:
                raise DataError(f"{self.title(name)}: cannot be read ({error.strerror}).") from error

        yield open_file


def _begins_like_image(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return looks_like_image(file.read(HEAD))
    except OSError:
        return False


class NamedFiles(Files):
    """Files listed one by one, in that order; their names are positions in the list."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.where = paths[0].parent
        self._paths = {str(index): path for index, path in enumerate(paths)}
        self._stats = {name: self._status(path) for name, path in self._paths.items()}
        self.names = list(self._paths)

    def _status(self, path: Path) -> tuple[int, int]:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"{shown(path)}: cannot be read ({error.strerror}).") from error
        if stat.S_ISDIR(status.st_mode):
            raise DataError(f"{shown(path)}: a folder; expected an image file.")
        if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_LIMIT:
            raise DataError(f"{shown(path)}: expected a regular file of at most {FILE_LIMIT} bytes.")
        return status.st_size, status.st_mtime_ns

    def title(self, name: str) -> str:
        return shown(self._paths[name])

    def stamp(self) -> object:
        return [(str(path), *self._stats[name]) for name, path in self._paths.items()]

    def average_size(self) -> float:
        return sum(size for size, _ in self._stats.values()) / len(self._stats)

    @contextmanager
    def opener(self) -> Iterator[Opener]:
        def open_file(name: str) -> IO[bytes]:
            try:
                return self._paths[name].open("rb")
            except OSError as error:
                raise DataError(f"{self.title(name)}: cannot be read ({error.strerror}).") from error

        yield open_file
