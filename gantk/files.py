"""Files: how they are opened, so that a folder from somebody else cannot do anything, and how they are replaced.

The path that a user names may be a link. What lies in a run folder was written by whoever made it: a file there is
opened only if it is a file, and not a link to another one, or a pipe that never ends.
"""

from __future__ import annotations

import codecs
import errno
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from gantk.errors import UsageError

__all__ = [
    "LARGEST",
    "UNFINISHED",
    "check_file",
    "check_no_link",
    "create_file",
    "flush_folder",
    "open_file",
    "place",
    "read_whole",
    "remove",
    "remove_unfinished",
    "replace_file",
    "text_of",
]

UNFINISHED = ".unfinished-"
"""What the names of files and folders begin with that are still being written."""

LARGEST = 1 << 24
"""Bytes of a file of settings or figures, at most."""


def place(path: str | os.PathLike[str]) -> Path:
    """A path as it is written: `~` and `~name` at its beginning are home folders.

    Raises:
        UsageError: it is not a path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"expected a path, such as 'runs/x', not {path!r:.60}.")
    return Path(os.path.expanduser(path))  # Path.expanduser fails where nobody is called so


def text_of(content: bytes) -> str:
    """A text file's text: UTF-8, or what the byte order mark says that some editors put before it.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


KINDS = (
    (stat.S_ISLNK, errno.ELOOP, "a link"),
    (stat.S_ISDIR, errno.EISDIR, "a folder"),
    (stat.S_ISFIFO, errno.ENXIO, "a pipe"),
    (stat.S_ISSOCK, errno.ENXIO, "a socket"),
    (stat.S_ISCHR, errno.ENXIO, "a device"),
    (stat.S_ISBLK, errno.ENXIO, "a device"),
)
"""What is no file: how it is recognized, an error for it, and its name."""


def check_file(path: Path, links: bool = False) -> None:
    """Check that a path is a file, without opening it: a pipe would be waited for.

    Args:
        path: the path.
        links: whether it may be a link to a file.

    Raises:
        OSError: it is something else, or does not exist.
    """
    _check_mode(os.stat(path, follow_symlinks=links).st_mode, path)


def _check_mode(mode: int, path: Path) -> None:
    for is_such, number, name in KINDS:
        if is_such(mode):
            raise OSError(number, f"it is {name}, not a file", str(path))


def open_file(path: Path, links: bool = False) -> BinaryIO:
    """Open a file to read it.

    Args:
        path: the path.
        links: whether it may be a link to a file.

    Raises:
        OSError: it is a folder, a pipe, a device or a socket, or a link; or it cannot be opened.
    """
    check_file(path, links)

    def opened(name: str, flags: int) -> int:  # and if it was exchanged meanwhile, neither follow a link nor wait
        return os.open(name, flags | (0 if links else _NO_LINKS) | getattr(os, "O_NONBLOCK", 0))

    file = open(path, "rb", opener=opened)  # noqa: SIM115 - the caller closes it
    try:
        _check_mode(os.fstat(file.fileno()).st_mode, path)
    except OSError:
        file.close()
        raise
    return file


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def read_whole(path: Path, most: int = LARGEST, links: bool = False) -> bytes:
    """A file's content, as `open_file` opens it, once it is known to be no larger than this many bytes.

    Raises:
        OSError: it is no file, cannot be read, or is larger.
    """
    with open_file(path, links) as file:
        if (size := os.fstat(file.fileno()).st_size) > most:
            raise OSError(errno.EFBIG, f"it has {size} bytes; expected at most {most}", str(path))
        return file.read(most)


def check_no_link(path: Path) -> None:
    """Check that something in the folder of a run or a sweep is no link, by which files outside would be written.

    Raises:
        OSError: it is a link; the error says what to do.
    """
    if path.is_symlink():
        mend = "gantk does not follow links in a run: replace it by what it points to, or remove it"
        raise OSError(errno.ELOOP, f"it is a link, and {mend}", str(path))


def remove(path: Path) -> None:
    """Remove a file, a folder with all that is in it, or a link, but not what it points to; nothing if it is gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)  # it follows no links
    else:
        path.unlink(missing_ok=True)


def remove_unfinished(path: Path) -> None:
    """Remove what killed processes left of `replace_file`; only for whoever has locked the file against others."""
    for each in path.parent.iterdir():
        if each.name.startswith(f"{UNFINISHED}{path.name}-"):
            remove(each)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file aside and rename it: whatever happens, its content is either the former one or the new one.

    What was there is not written to, even if it is a link, or other folders have the same file.
    """
    aside = path.with_name(f"{UNFINISHED}{path.name}-{secrets.token_hex(8)}")
    try:
        _write_new(aside, content)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that does not exist, and is no link."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def create_file(path: Path, content: bytes) -> None:
    """Write a new file, which appears whole, and only if there is none: of several processes, one succeeds.

    Raises:
        FileExistsError: there is one.
    """
    aside = path.with_name(f"{UNFINISHED}{path.name}-{secrets.token_hex(8)}")
    try:
        _write_new(aside, content)
        try:
            os.link(aside, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
    flush_folder(path.parent)


def flush_folder(path: Path) -> None:
    """Have the system write the names in a folder to its disk now, where it can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems do not flush folders
            raise
    finally:
        os.close(descriptor)
