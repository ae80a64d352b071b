"""Specs: what a model is made of, as plain data. A recipe's TOML, a build's arguments and `model.toml` are all specs.

A spec is a mapping with the keys `recipe`, `seed`, `data`, one per slot, `loss` (a list), `stages` and `train`. A part
is written `"de:dim=64"` or `{plugin = "de", dim = 64}`; `normalize` turns the first form into the second and the
names into `package:name`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from gantk.building.named import data_at, part_named
from gantk.errors import OptionError, nearest
from gantk.kinds import LISTS, SLOTS
from gantk.options import parse_part
from gantk.registry import Plugin, find, is_registered

__all__ = ["SINGLE", "Spec", "bare_name", "normalize", "part_table"]

Spec = dict[str, Any]

SINGLE = ("data", *SLOTS)
TABLES = ("stages", "train", "versions", "start")
TEXTS = ("title", "paper", "preset")
KEYS = (
    "recipe",
    "preset",
    "extends",
    "title",
    "paper",
    "seed",
    *SINGLE,
    *LISTS,
    "stages",
    "train",
    "shape",
    "untrained",
    "start",
    "versions",
)


def part_table(kind: str, value: Any, home: str = "") -> dict[str, Any]:
    """One part as `{"plugin": "package:name", option: value, …}`.

    Args:
        kind: the plugin's kind.
        value: `"name"`, `"name:option=value"`, `(name, {option: value})` or `{"plugin": name, option: value}`; for data
            a path as well.
        home: the package whose recipe this stands in; its own plugins come before those of other packages.

    Raises:
        OptionError: it is none of these.
        UnknownName: there is no such plugin.
    """
    if isinstance(value, str):
        name, options = parse_part(value) if home else part_named(kind, value)
    elif kind == "data" and isinstance(value, os.PathLike):
        name, options = data_at(value)
    elif isinstance(value, Mapping) and isinstance(value.get("plugin"), str):
        name, options = value["plugin"], {k: v for k, v in value.items() if k != "plugin"}
    elif isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[1], Mapping):
        name, options = str(value[0]), dict(value[1])
    else:
        raise OptionError(f"{kind}: expected 'name', 'name:option=value' or {{plugin = 'name', …}}, not {value!r}.")
    return {"plugin": _find(kind, name, home).qualified, **options}


def _find(kind: str, name: str, home: str) -> Plugin:
    """What a name means in a package's recipe: another package that claims it too cannot change that."""
    own = f"{home}:{name}"
    return find(kind, own if home and is_registered(kind, own) else name)


def bare_name(table: Mapping[str, Any]) -> str:
    """A part's name without its package."""
    return str(table["plugin"]).rpartition(":")[2]


def normalize(spec: Mapping[str, Any], what: str, home: str = "") -> Spec:
    """A spec with every part as a table; unknown keys are errors that name `what` holds them."""
    for key in spec:
        if key not in KEYS:
            raise OptionError(f"{what} has no entry '{key}'.{nearest(key, KEYS)}")
    result: Spec = deepcopy(dict(spec))
    for kind in SINGLE:
        if kind in result:
            result[kind] = part_table(kind, result[kind], home)
    for kind in LISTS:
        if kind in result:
            listed = result[kind] if isinstance(result[kind], (list, tuple)) else [result[kind]]
            result[kind] = [part_table(kind, part, home) for part in listed]
    for key in (*TABLES, *TEXTS):
        expected, called = (Mapping, "a table") if key in TABLES else (str, "text")
        if key in result and not isinstance(result[key], expected):
            raise OptionError(f"{what}: '{key}' is {called}, not {result[key]!r:.60}.")
    return result
