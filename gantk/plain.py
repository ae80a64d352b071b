"""Read dataclasses from parsed JSON or TOML, strictly: nothing may be missing that has no default, nor be unknown."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = ["from_plain"]

T = TypeVar("T")


def from_plain(made: type[T], found: Any, path: str = "") -> T:
    """Read a dataclass from parsed JSON or TOML.

    Args:
        made: the dataclass; its fields are strings, numbers, `None`, tuples, tables, and dataclasses of these.
        found: the table.
        path: its path, for errors.

    Raises:
        ValueError: an entry is missing, unknown or of another type; the message has its path.
    """
    if not isinstance(found, Mapping):
        raise ValueError(f"{path or 'it'} is not a table")
    known = get_type_hints(made)
    required = {each.name: each.default is each.default_factory is MISSING for each in fields(made)}  # type: ignore[arg-type]
    for name, needed in required.items():
        if needed and name not in found:
            raise ValueError(f"{_at(path, name)} is missing")
    if unknown := sorted(found.keys() - set(required)):
        raise ValueError(f"{_at(path, unknown[0])} is unknown")
    return made(**{name: _value(known[name], found[name], _at(path, name)) for name in required if name in found})


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _value(wanted: Any, found: Any, path: str) -> Any:
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        if found is None and type(None) in inner:
            return None
        return _value(next(each for each in inner if each is not type(None)), found, path)
    if isinstance(wanted, type) and is_dataclass(wanted):
        return from_plain(wanted, found, path)
    if origin is tuple and isinstance(found, list):
        return tuple(_value(inner[0], each, path) for each in found)
    if origin is not None and issubclass(origin, Mapping) and isinstance(found, Mapping):
        return {str(key): _value(inner[1], each, f"{path}.{key}") for key, each in found.items()}
    if wanted is Any:
        return found
    if wanted is float and isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    if isinstance(wanted, type) and type(found) is wanted:
        return found
    raise ValueError(f"{path} is {found!r:.40}")
