"""Download published files: only on request, with a size limit, and kept only if the checksum matches."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import tempfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gantk.errors import DataError
from gantk.permissions import check_download
from gantk_data.reading import shown

__all__ = ["Remote", "fetch"]

TIMEOUT = 30.0
"""Seconds without data after which the next mirror is tried."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Remote:
    """A published file: its data set, location and checksum."""

    data_set: str
    file: str
    mirrors: Sequence[str]
    md5: str
    limit: int
    """Maximum number of bytes to read."""


def fetch(remote: Remote, folder: Path) -> Path:
    """Download a file into a folder from the first mirror that provides it with the right checksum.

    Raises:
        DataError: no mirror did, or the folder is not writable; nothing is left behind.
        UsageError: only a run asks for it, and not a user.
    """
    check_download(remote.file, f"name the data, such as --data {remote.data_set}:download=true")
    reasons = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for mirror in remote.mirrors:
            reason = _try(mirror + remote.file, remote, folder)
            if reason is None:
                return folder / remote.file
            reasons.append(f"{mirror + remote.file}: {reason}")
    except OSError as error:
        raise DataError(
            f"{remote.data_set}: {shown(folder)} cannot be written ({error}); set another path=…"
        ) from error
    raise DataError(
        f"{remote.data_set}: {remote.file} could not be downloaded ({'; '.join(reasons)}); "
        f"check the network, or put the file into {shown(folder)} by hand."
    )


def _try(url: str, remote: Remote, folder: Path) -> str | None:
    """Download from one mirror; return the reason for a failure, or `None`."""
    handle, aside = tempfile.mkstemp(dir=folder, prefix=f".{remote.file}.")
    try:
        with os.fdopen(handle, "wb") as out:
            reason = _copy(url, remote, out)
            out.flush()
            os.fsync(out.fileno())
        if reason is None:
            # mkstemp creates files readable only by the owner; a data root is often shared.
            os.chmod(aside, 0o644)
            os.replace(aside, folder / remote.file)
            _sync_folder(folder)
        return reason
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)


def _copy(url: str, remote: Remote, out: IO[bytes]) -> str | None:
    digest = hashlib.md5(usedforsecurity=False)
    total = 0
    try:
        response = urllib.request.urlopen(url, timeout=TIMEOUT)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    with response:
        while True:
            try:
                piece = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                return str(error) or type(error).__name__
            if not piece:
                break
            total += len(piece)
            if total > remote.limit:
                return f"longer than {remote.limit} bytes"
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != remote.md5:
        return f"{total} bytes with MD5 {digest.hexdigest()}, expected {remote.md5}"
    return None


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, on platforms that can open folders."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
