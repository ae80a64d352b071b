"""Locate the published data sets: by the `path` option, else the environment variable `GANTK_DATA`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gantk.errors import DataError, OptionError
from gantk_data.reading import absolute, shown

__all__ = ["base_folder", "check_choice", "missing", "places"]


def check_choice(option: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a value that an option does not take; Python callers bypass the registry's check."""
    if value not in allowed:
        raise OptionError(f"{option} takes {' or '.join(map(repr, allowed))}, not {value!r}.")


def base_folder(name: str, path: Path | None) -> Path:
    """The data root.

    Raises:
        DataError: neither the option nor the variable names one, or it does not exist.
    """
    given = path if path is not None else os.environ.get("GANTK_DATA")
    if not given:
        raise DataError(f"{name}: no data folder is set; set path=FOLDER or the environment variable GANTK_DATA.")
    return absolute(given)


def places(base: Path, folders: Sequence[str]) -> list[Path]:
    """Where to look below a data root: the data set's own folders first, since several sets share file names."""
    return [*(base / folder for folder in folders), base]


def missing(name: str, what: str, looked: Sequence[Path]) -> DataError:
    """The error for a data set that was not found."""
    where = ", ".join(shown(place) for place in looked)
    return DataError(
        f"{name}: no {what} in {where}; set path=FOLDER or GANTK_DATA to its location, or download=true to download it."
    )
