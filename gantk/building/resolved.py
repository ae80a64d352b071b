"""What a run writes down of a part: its name, and every option that its constructor has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from gantk.building.spec import bare_name
from gantk.errors import OptionError
from gantk.options import CONTEXT, check_options, read_options
from gantk.registry import Given, find, give, registered_as

__all__ = ["plain", "recorded", "resolved"]


def resolved(kind: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """A part's table with every option that the constructor has, defaults included (an option at none is left out).

    Raises:
        OptionError: an option of code is given what a run cannot hold, as a class.
    """
    plugin = find(kind, table["plugin"])
    factory = plugin.load()
    given = {k: v for k, v in table.items() if k != "plugin"}
    checked = check_options(factory, given, f"{kind} '{bare_name(table)}'")
    options = {o.name: checked.get(o.name, o.default) for o in read_options(factory).values()}
    if isinstance(plugin, Given):
        options = {name: value for name, value in options.items() if value is None or _is_plain(value)}
        for name in checked.keys() - options.keys():
            raise OptionError(
                f"{kind} '{bare_name(table)}': a run stores numbers and strings, not {name}={checked[name]!r:.60}; "
                "pass an instance constructed with it."
            )
    return {"plugin": table["plugin"], **{k: plain(v) for k, v in options.items() if v is not None}}


def recorded(kind: str, table: Mapping[str, Any], part: Any, context: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table that makes a part again which was handed over: its class, and what that was constructed with.

    Where the arguments are not of a kind that a run can hold, or do not follow from it, it is the table as it was.
    """
    plugin = find(kind, table["plugin"])
    own = type(part)
    if not isinstance(plugin, Given) or plugin.thing is not part:
        return table
    arguments, options = part.constructed
    try:
        bound = inspect.signature(own).bind(*arguments, **options).arguments
    except TypeError:
        return table
    told = {name: value for name, value in bound.items() if name in CONTEXT}
    rest = {name: value for name, value in bound.items() if name not in CONTEXT and value is not None}
    if not all(_same(value, context.get(name)) for name, value in told.items()):
        return table
    if not all(map(_is_plain, rest.values())) or not rest.keys() <= read_options(own).keys():
        return table
    name = registered_as(kind, own) or give(kind, plugin.name, lambda: own, thing=own).qualified
    return {"plugin": name, **rest}


def _same(one: Any, other: Any) -> bool:
    return bool(plain(one) == plain(other))


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    return isinstance(value, (bool, int, float, str, PurePath))


def plain(value: Any) -> Any:
    """An option's value as TOML can hold it."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return value if isinstance(value, (bool, int, float, str)) else str(value)
