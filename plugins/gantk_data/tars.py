"""The images in tar files, such as the shards of webdataset: found by their headers, read without extracting them."""

from __future__ import annotations

import io
import re
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from gantk.errors import DataError
from gantk_data.layout import without_common_folder
from gantk_data.listing import FILE_LIMIT, Files, Opener, Skips
from gantk_data.reading import shown
from gantk_data.recognition import has_image_suffix, is_hidden, is_litter
from gantk_data.sources import Shard

__all__ = ["TarFiles"]

HEADER = 1 << 20
"""Maximum number of bytes of one header, such as that of a long name."""

LABEL = ".cls"
"""Suffix of the files that contain the class of the image of the same name."""


@dataclass(frozen=True)
class _Place:
    """Where an image is."""

    shard: int
    offset: int
    size: int
    entry: str
    key: str
    """Its path without the suffix."""


class TarFiles(Files):
    """The images in one or several tar files.

    Args:
        shards: the tar files, in order.
        where: what they are part of, for messages.
        skips: counts what is not used.

    Raises:
        DataError: a file is no tar, is compressed or damaged, or two images have the same name.
    """

    def __init__(self, shards: Sequence[Shard], where: Path, skips: Skips) -> None:
        self._shards = list(shards)
        self.where = where
        found: dict[str, _Place] = {}
        classes: dict[str, int] = {}
        for number in range(len(shards)):
            self._index(number, found, classes, skips)
        self._places = without_common_folder(found)
        self.names = sorted(self._places)
        self._classes = classes

    def _index(self, number: int, found: dict[str, _Place], classes: dict[str, int], skips: Skips) -> None:
        shard = self._shards[number]
        try:
            with shard.open() as file, tarfile.open(fileobj=_Bounded(file), mode="r:") as archive:
                for member in archive:
                    self._take(number, member, file, found, classes, skips)
        except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError) as error:
            if isinstance(error, DataError):
                raise
            mend = "decompress it" if _is_compressed(shard) else "pack it again"
            raise DataError(f"{shown(shard.name)}: not a tar, or a damaged one ({shown(error)}); {mend}.") from error

    def _take(
        self,
        number: int,
        member: tarfile.TarInfo,
        file: IO[bytes],
        found: dict[str, _Place],
        classes: dict[str, int],
        skips: Skips,
    ) -> None:
        parts = [part for part in member.name.replace("\\", "/").split("/") if part not in ("", ".")]
        name, title = "/".join(parts), f"{shown(self._shards[number].name)}: entry {member.name!r}"
        label = name.lower().endswith(LABEL)
        if not parts or member.isdir() or is_litter(parts):
            return
        if not (label or has_image_suffix(name)) or is_hidden([part for part in parts if part != ".."]):
            if not _beside_an_image(name):
                skips.leave_out(parts[-1], "no image")
            return
        try:
            _check(member, parts)
            if label:
                key = name[: -len(LABEL)]
                classes[key] = _class_in(file, member)
                return
            if name in found:
                raise ValueError("another entry has the same name")
        except ValueError as error:
            skips.refuse(DataError(f"{title}: {error}; remove it, or pack the tar again."), "unsafe")
            return
        key = name.removesuffix(Path(name).suffix)
        found[name] = _Place(number, member.offset_data, member.size, member.name, key)

    def labels(self) -> npt.NDArray[np.int64] | None:
        """The classes of the images by their `.cls` files, in the order of names; `None` if there are none.

        Raises:
            DataError: only some images have a class.
        """
        if not self._classes:
            return None
        keys = [self._places[name].key for name in self.names]
        missing = [key for key in keys if key not in self._classes]
        if missing:
            raise DataError(
                f"{shown(self.where)}: {len(missing)} of {len(keys)} images have no class, for example "
                f"{shown(missing[0])}{LABEL}; give every image one, or none."
            )
        return np.array([self._classes[key] for key in keys], dtype=np.int64)

    def title(self, name: str) -> str:
        place = self._places[name]
        return f"{shown(self._shards[place.shard].name)}: entry {place.entry!r}"

    def stamp(self) -> object:
        return [shard.stamp for shard in self._shards]

    def average_size(self) -> float:
        return sum(place.size for place in self._places.values()) / max(len(self._places), 1)

    @contextmanager
    def opener(self) -> Iterator[Opener]:
        lock, opened = threading.Lock(), dict[int, IO[bytes]]()
        with ExitStack() as stack:

            def open_entry(name: str) -> IO[bytes]:
                place = self._places[name]
                try:
                    with lock:
                        if place.shard not in opened:
                            opened[place.shard] = stack.enter_context(self._shards[place.shard].open())
                        file = opened[place.shard]
                        file.seek(place.offset)
                        content = file.read(place.size)
                except OSError as error:
                    raise DataError(f"{self.title(name)}: cannot be read ({error.strerror}).") from error
                if len(content) != place.size:
                    raise DataError(f"{self.title(name)}: the tar ends within it; copy or download it again.")
                return io.BytesIO(content)

            yield open_entry


class _Bounded(io.RawIOBase):
    """A file whose reads are small, so that a header cannot ask for the memory that it says."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER:
            raise ValueError(f"a header of {size} bytes; expected at most {HEADER}")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _is_compressed(shard: Shard) -> bool:
    with shard.open() as file:
        return file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))


def _beside_an_image(name: str) -> bool:
    """Whether it is what webdataset puts beside images: texts and metadata."""
    return name.lower().endswith((".json", ".txt", ".cls", ".npy", ".id"))


def _check(member: tarfile.TarInfo, parts: Sequence[str]) -> None:
    if not member.isreg() or member.sparse is not None:
        raise ValueError("it is a link or another special file")
    if ".." in parts or member.name.startswith("/"):
        raise ValueError("its path points outside the tar")
    if not 0 <= member.size <= FILE_LIMIT:
        raise ValueError(f"it declares {member.size} bytes, more than {FILE_LIMIT}")


def _class_in(file: IO[bytes], member: tarfile.TarInfo) -> int:
    """The class in a `.cls` file; the position of the file is put back."""
    before = file.tell()
    file.seek(member.offset_data)
    text = file.read(min(member.size, 32))
    file.seek(before)
    if not re.fullmatch(rb"\s*\d{1,9}\s*", text) or member.size > 32:
        raise ValueError("expected a class: a whole number")
    return int(text)
