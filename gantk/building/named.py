"""Parse what a text names: a plugin with options or, for data, a folder or file."""

from __future__ import annotations

import os
import re
import tarfile
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from gantk.errors import DataError, GantkWarning, OptionError, UnknownName, nearest
from gantk.files import place
from gantk.registry import is_registered, plugins
from gantk.written import parse_options, parse_part

__all__ = ["data_at", "part_named"]

ARRAYS = (".npy", ".npz")

Named = tuple[str, dict[str, Any]]


def part_named(kind: str, text: str) -> Named:
    """Parse the name of a plugin with options, such as `de:dim=64`.

    Data can be named by data set (`digits`, `mnist:split=test`), by path (`photos`, `photos:size=64`, `x.zip`, `x.tar`,
    `face.png`), or by both (`folder:photos,size=64`). The name of a data set takes precedence over a folder's.

    Raises:
        OptionError: the text names no plugin, or what follows the name is no option.
        UnknownName: there is neither such data nor such a file or folder.
    """
    text = text.strip()
    if kind != "data" or not text:
        return parse_part(text)
    head, options = _divided(text)
    if is_registered("data", head):
        _tell_of_a_folder(head, options)
        return head, parse_options(options)
    for path, rest in ((text, ""), (head, options)):
        if os.path.exists(place(path)):  # which is false for what no file can be called
            return data_at(path, parse_options(rest))
    for name, path in _prefixes(text):
        if is_registered("data", name):
            if options and not os.path.exists(place(path)):  # folder:photos:size=16
                path = f"{path.removesuffix(options).removesuffix(':')},{options}"
            return name, parse_options(f"path={path}")
    if re.match(r"\w+://", head):
        raise DataError(
            f"{head}: a URL; gantk reads local files, and tars of a URL as tar:url=…,download=true: download it first."
        )
    if "=" in head:
        parse_part(text)  # says what is expected
    if re.search(r"[\\/]|^[.~]", head):
        raise DataError(f"{place(head).absolute()}: no such file or folder.")
    known = nearest(head.rpartition(":")[2], (plugin.name for plugin in plugins("data")))
    raise UnknownName(f"there is no data '{head}', and no file or folder of that name.{known}")


def data_at(path: str | os.PathLike[str], options: dict[str, Any] | None = None) -> Named:
    """The data plugin for a folder, a zip, a tar or an image file, with its options.

    Raises:
        DataError: there is no such file or folder, or it is an array file.
        OptionError: the options name another path.
    """
    where = place(path).absolute()
    options = dict(options or {})
    if "path" in options:
        raise OptionError(f"'{path}' is the path already; leave out path={options['path']}.")
    if not os.path.exists(where):
        raise DataError(f"{where}: no such file or folder.")
    if where.suffix.lower() in ARRAYS and where.is_file():
        raise DataError(
            f"{where}: an array; expected images; in Python, use gantk.data.ArraySource(numpy.load({str(where)!r}))."
        )
    if where.is_dir():
        return "gantk:folder", {"path": where, **options}
    if where.suffix.lower() == ".zip" or (where.is_file() and zipfile.is_zipfile(where)):
        return "gantk:zip", {"path": where, **options}
    if where.suffix.lower() == ".tar" or (where.is_file() and tarfile.is_tarfile(where)):
        return "gantk:tar", {"path": where, **options}
    return "gantk:files", {"path": [where], **options}


def _divided(text: str) -> tuple[str, str]:
    """The text before the first `:option=`, and the options."""
    found = re.search(r":(?=[A-Za-z_]\w*=)|:$", text)
    return (text[: found.start()], text[found.end() :]) if found else (text, "")


def _prefixes(text: str) -> Iterator[tuple[str, str]]:
    """`package:name:path` split at each colon, the longest name first."""
    for colon in reversed([match.start() for match in re.finditer(":", text)]):
        yield text[:colon], text[colon + 1 :]


def _tell_of_a_folder(name: str, options: str) -> None:
    if not options and ":" not in name and os.path.exists(name):
        warnings.warn(
            f"data '{name}' is the data set; use ./{name} for the file or folder {name}.",
            GantkWarning,
            stacklevel=2,
        )
