"""Where the files of a data set are: on this machine, or at URLs."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from gantk.errors import DataError, UsageError, briefly
from gantk.permissions import check_download
from gantk_data.reading import shown

__all__ = ["MOST", "Shard", "local_shards", "remote_shards"]

MOST = 4096
"""Maximum number of files."""


@dataclass(frozen=True)
class Shard:
    """One file that can be read from any place."""

    name: str
    """Its path or URL, for messages."""
    stamp: tuple[Any, ...]
    """Plain values that change when the file does."""
    open: Callable[[], IO[bytes]]


def local_shards(path: Path) -> list[Shard]:
    """The tar files that a path names: one, all of a folder, or a pattern such as `train-{000..009}.tar` or `*.tar`.

    Raises:
        DataError: there are none, too many, or one is missing.
    """
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.suffix == ".tar" and not each.name.startswith("."))
    elif "*" in path.name:
        found = sorted(path.parent.glob(path.name))
    else:
        found = [Path(each) for each in _numbered(str(path))]
    if not found:
        raise DataError(f"{shown(path)}: no tar file there; set path to a tar, a folder of them, or a pattern.")
    if len(found) > MOST:
        raise DataError(f"{shown(path)}: {len(found)} tar files; expected at most {MOST}.")
    return [_local(each) for each in found]


def _local(path: Path) -> Shard:
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror}).") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{shown(path)}: expected a tar file.")
    return Shard(str(path), (path.name, status.st_size, status.st_mtime_ns), partial(_opened, path))


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def remote_shards(url: str) -> list[Shard]:
    """The files at a URL of any file system of fsspec, such as `s3://bucket/train-{000..127}.tar`.

    Raises:
        UsageError: a run asks for it and not its user, or fsspec does not know the URL.
        DataError: a file cannot be reached.
    """
    import fsspec  # type: ignore[import-untyped]

    check_download(url, f"name the data, such as --data 'tar:url={url},download=true'")
    found = []
    for each in _numbered(url):
        try:
            system, path = fsspec.core.url_to_fs(each)
        except ImportError as error:  # by the module that this file system needs
            name = getattr(error.__cause__, "name", None)
            why = f"this file system needs {name}: pip install {name}" if name else briefly(error)
            raise UsageError(f"url={url}: {why}.") from error
        except ValueError as error:
            raise UsageError(f"url={url}: {briefly(error)}.") from error
        try:
            about = system.info(path)
        except Exception as error:  # every file system has its own errors
            raise DataError(f"{shown(each)}: cannot be reached ({type(error).__name__}: {briefly(error)}).") from error
        marks = [about.get(name) for name in ("size", "ETag", "etag", "LastModified", "mtime", "created")]
        found.append(Shard(each, (each, *map(str, marks)), partial(_reached, system, path, each)))
    return found


def _reached(system: Any, path: str, url: str) -> IO[bytes]:
    try:
        opened: IO[bytes] = system.open(path, "rb")
    except Exception as error:
        raise DataError(f"{shown(url)}: cannot be reached ({type(error).__name__}: {briefly(error)}).") from error
    return opened


def _numbered(text: str) -> list[str]:
    """`train-{000..009}.tar` as its ten names; another text as it is.

    Raises:
        DataError: these are too many.
    """
    match = re.search(r"\{(\d+)\.\.(\d+)\}", text)
    if match is None:
        return [text]
    first, last, width = int(match[1]), int(match[2]), len(match[1])
    if last - first >= MOST:
        raise DataError(f"{shown(text)}: {last - first + 1} files; expected at most {MOST}.")
    return [f"{text[: match.start()]}{number:0{width}}{text[match.end() :]}" for number in range(first, last + 1)]
