"""The images in a zip: entries are read in memory, up to their declared size, and never extracted."""

from __future__ import annotations

import io
import re
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gantk.data import open_zip
from gantk.errors import DataError
from gantk_data.layout import without_common_folder
from gantk_data.listing import FILE_LIMIT, Files, Opener, Skips
from gantk_data.reading import DEFLATE_RATIO, shown
from gantk_data.recognition import HEAD, NOT_IMAGES, has_image_suffix, is_hidden, is_litter, looks_like_image

__all__ = ["ZipFiles"]

_ENCRYPTED = 0x1 | 0x40


class ZipFiles(Files):
    """The images of a zip, below the folder `inside`; a top folder that all images share is skipped.

    Raises:
        DataError: the file is not a zip, is damaged or encrypted, or has unsafe paths or impossible sizes.
    """

    def __init__(self, path: Path, skips: Skips, inside: str = "") -> None:
        self.where = path
        self._inside = inside.replace("\\", "/").strip("/")
        with _opened(path) as archive:
            entries = self._checked(archive, skips)
        prefix = self._inside + "/" if self._inside else ""
        below = {name[len(prefix) :]: raw for name, raw in entries.items() if name.startswith(prefix)}
        if entries and not below:
            tops = ", ".join(sorted({shown(name.split("/", 1)[0]) for name in entries})[:8])
            raise DataError(f"{shown(path)}: no image below inside={shown(inside)}; at the top: {tops}.")
        self._raw = without_common_folder(below)
        self.names = sorted(self._raw)

    def _checked(self, archive: zipfile.ZipFile, skips: Skips) -> dict[str, str]:
        """The usable images: name without `.` parts → the entry's own name."""
        entries: dict[str, str] = {}
        packed = 0
        for info in archive.infolist():
            packed += info.compress_size
            # Some Windows programs write backslashes.
            parts = [part for part in info.filename.replace("\\", "/").split("/") if part not in ("", ".")]
            name = "/".join(parts)
            try:
                _check_path(info)
                if not _is_image(archive, info, parts, skips):
                    continue
                _check_entry(info)
                if name in entries:
                    raise ValueError("another entry has the same name")
            except ValueError as error:
                refused = DataError(f"{self._title(info.orig_filename)}: {error}; remove it or pack the zip again.")
                skips.refuse(refused, "unsafe")
                continue
            entries[name] = info.filename
        if packed > self.where.stat().st_size:
            raise DataError(f"{shown(self.where)}: its entries overlap, as in a zip bomb; pack it again.")
        return entries

    def _title(self, entry: str) -> str:
        return f"{shown(self.where)}: entry {entry!r}"

    def title(self, name: str) -> str:
        return self._title(self._raw[name])

    def stamp(self) -> object:
        status = self.where.stat()
        return [self._inside, status.st_size, status.st_mtime_ns]

    def average_size(self) -> float:
        return self.where.stat().st_size / max(len(self.names), 1)

    @contextmanager
    def opener(self) -> Iterator[Opener]:
        lock = threading.Lock()
        with _opened(self.where) as archive:

            def open_entry(name: str) -> IO[bytes]:
                with lock:
                    return io.BytesIO(self._read(archive, name))

            yield open_entry

    def _read(self, archive: zipfile.ZipFile, name: str) -> bytes:
        try:
            info = archive.getinfo(self._raw[name])
            with archive.open(info) as stream:
                # A bounded read: without a count, zipfile inflates the whole stream, whatever size it declares.
                data = stream.read(min(info.file_size, FILE_LIMIT) + 1)
            if len(data) != info.file_size:
                raise ValueError(f"contains {len(data)} bytes but declares {info.file_size}")
        except Exception as error:
            raise DataError(f"{self.title(name)}: damaged ({shown(error)}); pack it again.") from error
        return data


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if path.is_dir():
        raise DataError(f"{shown(path)}: a folder, not a zip; omit 'zip:', as in --data {shown(path)}.")
    if not path.is_file():
        raise DataError(f"{shown(path)}: no such file, or not a regular one; set path=FILE to a zip of images.")
    try:
        archive = open_zip(path)
    except Exception as error:
        raise DataError(f"{shown(path)}: not a zip, or a damaged one ({shown(error)}); pack it again.") from error
    with archive:
        yield archive


def _is_image(archive: zipfile.ZipFile, info: zipfile.ZipInfo, parts: list[str], skips: Skips) -> bool:
    """Whether an entry is an image, by suffix or content; other entries are counted."""
    if not parts or info.filename.endswith(("/", "\\")) or is_litter(parts):
        return False
    promised = has_image_suffix(parts[-1])
    if is_hidden(parts):
        if promised:
            skips.leave_out(parts[-1], "hidden")
        return False
    if promised or _begins_like_image(archive, info):
        return True
    skips.leave_out(parts[-1], NOT_IMAGES)
    return False


def _begins_like_image(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    try:
        _check_entry(info)
        with archive.open(info) as stream:
            return looks_like_image(stream.read(HEAD))
    except Exception:  # noqa: BLE001 - zipfile raises anything on damaged entries, and this one need not be an image
        return False


def _check_path(info: zipfile.ZipInfo) -> None:
    """Refuse paths outside the archive: nothing is extracted, but such a zip is malicious or broken."""
    name = info.orig_filename.replace("\\", "/")
    if "\0" in name:
        raise ValueError("its path contains a NUL")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise ValueError("its path is absolute")
    if ".." in name.split("/"):
        raise ValueError("its path points outside the archive")


def _check_entry(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise ValueError("it is a symbolic link or another special file")
    if info.flag_bits & _ENCRYPTED:
        raise ValueError("it is encrypted")
    # zipfile bounds the output only for these two; a bzip2 or LZMA entry could fill the memory.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("its compression is neither 'stored' nor 'deflated'")
    if info.file_size > FILE_LIMIT:
        raise ValueError(f"it declares {info.file_size} bytes, more than {FILE_LIMIT}")
    if info.file_size > max(info.compress_size, 1) * DEFLATE_RATIO:
        raise ValueError(f"it declares {info.file_size} bytes, more than {info.compress_size} can inflate to")
