"""Paths as people write them; writing aside and renaming, so that a reader never sees half of a file or folder."""

from __future__ import annotations

import codecs
import errno
import os
import secrets
from pathlib import Path

from gantk.errors import UsageError

__all__ = ["LARGEST", "UNFINISHED", "create_file", "flush_folder", "place", "read_whole", "replace_file", "text_of"]

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


def read_whole(path: Path, most: int = LARGEST) -> bytes:
    """A file's content, once it is known to be no larger than this many bytes.

    Raises:
        OSError: it cannot be read, or is larger.
    """
    with path.open("rb") as file:
        if (size := os.fstat(file.fileno()).st_size) > most:
            raise OSError(errno.EFBIG, f"it has {size} bytes; expected at most {most}", str(path))
        return file.read(most)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file aside and rename it: whatever happens, its content is either the former one or the new one."""
    aside = path.with_name(f"{UNFINISHED}{path.name}")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    flush_folder(path.parent)


def create_file(path: Path, content: bytes) -> None:
    """Write a new file, which appears whole, and only if there is none: of several processes, one succeeds.

    Raises:
        FileExistsError: there is one.
    """
    aside = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if path.exists():
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
