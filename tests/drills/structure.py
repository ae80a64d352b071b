"""Changes of the tables and lists that a text of JSON or TOML stands for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import tomli_w

from gantk import toml

__all__ = ["changed_json", "changed_toml"]

VALUES: list[Any] = [
    *(
        True,
        False,
        None,
        0,
        1,
        -1,
        2,
        3.5,
        -0.0,
        1e30,
        1e308,
        float("nan"),
        float("inf"),
        10**9,
        1 << 62,
        1 << 63,
        1 << 70,
    ),
    *("", "x", "1", "true", "*", "\x1b[2J", "é\ud800", "a" * 300, "5 steps", "gantk:dcgan", "dcgan:width=2"),
    *([], [[]], [1, "a"], [-1, -1, -1], [None], {}, {"a": 1}, {"plugin": "x"}, {"plugin": 1}, {"": {}}),
]


def changed_json(rng: random.Random, text: bytes) -> bytes:
    """The text with some nodes of its tree changed."""
    return json.dumps(_changed(rng, json.loads(text))).encode()


def changed_toml(rng: random.Random, text: bytes) -> bytes:
    """The same; TOML has no null, and no text that is not Unicode."""
    return tomli_w.dumps(_changed(rng, toml.loads(text.decode()))).encode()


def _changed(rng: random.Random, tree: Any) -> Any:
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        parents = [(parent, key) for parent in _parents(tree) for key in _keys(parent)]
        if not parents:
            return rng.choice(VALUES)
        rng.choice(CHANGES)(rng, tree, *rng.choice(parents))
    return tree


def _parents(tree: Any) -> list[Any]:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [tree, *(each for value in inner for each in _parents(value))] if isinstance(tree, (dict, list)) else []


def _keys(parent: Any) -> list[Any]:
    return list(parent) if isinstance(parent, dict) else list(range(len(parent)))


def _replace(rng: random.Random, tree: Any, parent: Any, key: Any) -> None:
    parent[key] = json.loads(json.dumps(rng.choice(VALUES)))


def _delete(rng: random.Random, tree: Any, parent: Any, key: Any) -> None:
    del parent[key]


def _rename(rng: random.Random, tree: Any, parent: Any, key: Any) -> None:
    if isinstance(parent, dict):
        parent[rng.choice(("x", "", "plugin", "*", "a.b", "\x1b", key + key))] = parent.pop(key)


def _copy(rng: random.Random, tree: Any, parent: Any, key: Any) -> None:
    """Something from elsewhere."""
    other = rng.choice(_parents(tree))
    inner = rng.choice([other, *(other[each] for each in _keys(other))])
    parent[key] = json.loads(json.dumps(inner))


def _wrap(rng: random.Random, tree: Any, parent: Any, key: Any) -> None:
    parent[key] = rng.choice(([parent[key]], {"x": parent[key]}, [parent[key]] * 3))


def _shift(rng: random.Random, tree: Any, parent: Any, key: Any) -> None:
    if isinstance(parent[key], (int, float)):
        parent[key] = rng.choice((-parent[key], parent[key] * 10**6, parent[key] + 0.5, str(parent[key])))


CHANGES: list[Callable[[random.Random, Any, Any, Any], None]] = [
    _replace,
    _replace,
    _delete,
    _rename,
    _copy,
    _wrap,
    _shift,
]
