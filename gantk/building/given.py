"""Code in place of a name: it is registered for this process, and named `python:NAME` in a run.

A run is data only. Opening one looks names up among installed plugins, code that was given to this process, and the
files that this command names; nothing else is imported.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from torch import nn

from gantk.adapt import accepting, adapted, name_of
from gantk.building.code import code_in, load_code
from gantk.data import DataSource
from gantk.data.given import as_source
from gantk.errors import OptionError, UsageError, nearest
from gantk.kinds import KINDS, LISTS, kind_named
from gantk.registry import PYTHON, Given, give, given_as, registered_as
from gantk.written import parse_options

__all__ = ["again", "give_file", "named", "register", "source_of"]

T = TypeVar("T")

FILE = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)(?::(?P<options>.*))?", re.DOTALL)


def register(kind: str, thing: Any = None, *, name: str = "") -> Any:
    """Register code as a part for the lifetime of this process, as a decorator or a call.

    It can then be named like an installed one, in Python and, by `--code FILE.py`, on the command line::

        @gantk.register("generator", "mine")
        class MyGenerator(torch.nn.Module): ...

        gantk.build(generator="mine:width=32")

    Args:
        kind: the kind of part, such as `generator`.
        thing: a class, a function, a module or a part; for a decorator, optionally the name.
        name: its name; by default the code's own.

    Returns:
        the thing, unchanged.

    Raises:
        UnknownName: there is no such kind.
        OptionError: it cannot be such a part, or the name cannot be typed.
    """
    kind_named(kind)
    if thing is None or isinstance(thing, str):
        return lambda decorated: register(kind, decorated, name=thing or name)
    chosen = name or name_of(thing)
    if not re.fullmatch(r"[A-Za-z_][\w-]*", chosen):
        raise OptionError(f"a part's name consists of letters, digits, _ and -, not '{chosen}'.")
    _give(kind, chosen, thing, listed=True)
    return thing


def _give(kind: str, name: str, thing: Any, *, listed: bool = False) -> Given:
    stands = adapted(kind, thing, name)
    return give(kind, name, partial(_itself, stands), thing=thing, listed=listed)


def named(kind: str, value: Any) -> Any:
    """A user's choice for a kind, with code replaced by names.

    Args:
        kind: the kind.
        value: a name, code, `FILE.py:NAME` or either with options, such as `(MyGenerator, {"width": 32})`; for kinds
            of which a model can have several, also a list of these.

    Raises:
        OptionError: the code cannot be such a part.
        UsageError, BrokenPlugin: the file is missing, or cannot be imported.
    """
    if kind in LISTS and isinstance(value, (list, tuple)) and not _is_pair(value):
        return [_named(kind, each) for each in value]
    found = _named(kind, value)
    return [found] if kind in LISTS else found


def _is_pair(value: Sequence[Any]) -> bool:
    return len(value) == 2 and isinstance(value[1], Mapping) and "plugin" not in value[1] and not _is_roles(value[1])


def _is_roles(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(callable(each) for each in value.values())


def _named(kind: str, value: Any) -> Any:
    if isinstance(value, str) and (found := FILE.fullmatch(value.strip())):
        code = code_in(found["file"], found["name"])
        return {"plugin": _name(kind, code, found["name"]), **parse_options(found["options"] or "")}
    if isinstance(value, str) and value.strip().endswith(".py"):
        raise OptionError(f"{kind}: '{value}' is a file; give the name of an object in it, as in {value.strip()}:NAME.")
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Mapping) and _is_code(value[0]):
        return {"plugin": _name(kind, value[0]), **value[1]}
    if isinstance(value, Mapping) and _is_code(value.get("plugin")):
        return {**value, "plugin": _name(kind, value["plugin"])}
    if _is_code(value) or (kind == "loss" and _is_roles(value)):
        return {"plugin": _name(kind, value)}
    return value


def _is_code(value: Any) -> bool:
    return callable(value) or hasattr(value, "sample")


def _name(kind: str, code: Any, called: str = "") -> str:
    """The name of code: its own if it is installed or registered, otherwise it is registered here."""
    known = registered_as(kind, code) or given_as(kind, code)
    # A part gets the name of its class, and replaces the recipe's part of that name.
    name = registered_as(kind, type(code)).rpartition(":")[2] or called or name_of(code)
    return known or _give(kind, name, code).qualified


def _itself(thing: T) -> T:
    return thing


def source_of(data: Any) -> DataSource | None:
    """The data source of given data; `None` if the data is a name.

    Raises:
        DataError: it is not data.
    """
    named_so = isinstance(data, (str, os.PathLike)) or (isinstance(data, Mapping) and "plugin" in data)
    pair = isinstance(data, (tuple, list)) and len(data) == 2 and isinstance(data[1], Mapping)
    if named_so or pair or inspect.isclass(data) or inspect.isroutine(data):
        return None
    return as_source(data)


def give_file(path: str | os.PathLike[str]) -> None:
    """Import a Python file that this command names, and register what it defines.

    Raises:
        UsageError: there is no such file.
        BrokenPlugin: importing it failed.
    """
    module = load_code(path)
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", "") == module.__name__ or not callable(thing)
        if name.startswith("_") or not _is_code(thing) or not (own or isinstance(thing, nn.Module)):
            continue
        for kind in KINDS:
            if not given_as(kind, thing):
                give(kind, name, partial(adapted, kind, thing, name), thing=thing)


def again(kind: str, value: Any, recorded: Any, where: str) -> None:
    """Give the code of a part that a run names `python:NAME`.

    Args:
        kind: the kind.
        value: the code; for kinds of which a model can have several, also a list.
        recorded: the run's table of this part, or its list of tables.
        where: name of the run in errors.

    Raises:
        UsageError: the run has no such part, or one that needs no code.
    """
    tables = recorded if isinstance(recorded, list) else [recorded] if recorded else []
    names = [table["plugin"].partition(":")[2] for table in tables if table["plugin"].startswith(f"{PYTHON}:")]
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not names:
        has = ", ".join(table["plugin"] for table in tables)
        raise UsageError(
            f"{where}: its {kind} is {has}, which is installed: leave out {kind}=…"
            if has
            else f"{where} has no {kind}: leave out {kind}=…."
        )
    for each in values:
        if isinstance(each, str) and (found := FILE.fullmatch(each.strip())):
            each = code_in(found["file"], found["name"])
        if not _is_code(each) and not _is_roles(each):
            raise UsageError(f"{kind}: the code of {', '.join(names)} is needed here, not {each!r:.60}.")
        name = name_of(each) if len(names) > 1 else names[0]
        if name not in names:
            raise UsageError(f"{where} has no {kind} '{name}'.{nearest(name, names)}")
        options = next(table for table in tables if table["plugin"] == f"{PYTHON}:{name}").keys() - {"plugin"}
        stands = accepting(adapted(kind, each, name), each, options)
        give(kind, name, partial(_itself, stands), thing=each)
