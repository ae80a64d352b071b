"""What only a user can allow, and not what a run says, which may be from anybody: downloads, and several devices.

A part that downloads calls `check_download` first. While gantk builds the parts that a run's files name, this refuses;
it does not where a user names the part, on the command line or in Python.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gantk.errors import UsageError

__all__ = ["DEVICES", "allowing_downloads", "as_said_by", "asks_for_downloads", "check_devices", "check_download"]

DOWNLOAD = "download"
"""The option by which a part is allowed to download."""

DEVICES = "train.devices"
"""The setting of the number of devices."""

NODES = "train.nodes"
"""The setting of the number of machines."""

_said_by: ContextVar[str] = ContextVar("said_by", default="")
"""The run whose files are followed; empty if a user is."""
_allowed: ContextVar[bool] = ContextVar("allowed", default=False)


@contextmanager
def as_said_by(run: str, *typed: Any) -> Iterator[None]:
    """Within this context, a run's files say what is built and trained; nothing is downloaded for them.

    Args:
        run: the run; empty if a user says it.
        typed: what the user says beside it; if that asks for a download, downloads are allowed.
    """
    if not run:
        yield
        return
    said, allowed = _said_by.set(run), _allowed.set(_allowed.get() or any(map(asks_for_downloads, typed)))
    try:
        yield
    finally:
        _allowed.reset(allowed)
        _said_by.reset(said)


@contextmanager
def allowing_downloads(allowed: bool = True) -> Iterator[None]:
    """Within this context, a run's files may ask for downloads, such as `mnist:download=true`."""
    token = _allowed.set(_allowed.get() or allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def asks_for_downloads(value: Any) -> bool:
    """Whether something that a user says asks for a download: a part, a setting, or a list or table of them."""
    if isinstance(value, Mapping):
        return any(
            (key == DOWNLOAD and str(each).lower() != "false") or asks_for_downloads(each)
            for key, each in value.items()
        )
    if isinstance(value, (list, tuple)):
        return any(map(asks_for_downloads, value))
    return isinstance(value, str) and bool(re.search(rf"\b{DOWNLOAD}\s*=", value))


def check_download(what: str, mend: str) -> None:
    """Check that a user asked for a download, and not only a run.

    Args:
        what: what is downloaded, for the message.
        mend: how a user says so.

    Raises:
        UsageError: a run says so.
    """
    if _said_by.get() and not _allowed.get():
        raise UsageError(f"{_said_by.get()} asks for a download of {what}, and only you can allow that: {mend}.")


def check_devices(run: str, settings: Mapping[str, Any], paths: Collection[str]) -> None:
    """Check that a user asked for several devices or machines, and not only a run.

    Args:
        run: the run; empty if a user says everything.
        settings: the `train` settings.
        paths: the settings that the user gave.

    Raises:
        UsageError: a run says so.
    """
    for path in (DEVICES, NODES):
        name = path.rpartition(".")[2]
        number = settings[name]
        if run and number > 1 and path not in paths:
            raise UsageError(
                f"{run} asks for {number} {name}, and only you can allow that: "
                f"--{name} {number}, or --{name} 1 for one (in Python, settings={{'{path}': {number}}})."
            )
