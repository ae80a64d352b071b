"""Options: the typed keyword arguments of a plugin's constructor, read, parsed and checked in one place.

The command line (`de:dim=64,sample=false`), TOML and Python calls all pass through `check_options`, so that
the three mean the same thing. An option's type decides how its text is read: text and paths stay text.
"""

from __future__ import annotations

import inspect
import re
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from gantk.errors import BrokenPlugin, GantkWarning, OptionError, nearest
from gantk.files import place
from gantk.written import Written, parse_part, parse_value, write_options, write_part

__all__ = [
    "CONTEXT",
    "Option",
    "check_options",
    "context_names",
    "parse_part",
    "read_options",
    "typed_options",
    "write_options",
    "write_part",
]

CONTEXT = frozenset({"image_shape", "noise_dim", "condition_dim", "class_count", "class_names", "label_dim"})
"""Constructor arguments that are not options: `build` fills them in so that the parts fit each other."""

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """One option: its name, its type, its default (`REQUIRED` where it has none) and its line of documentation."""

    name: str
    type: Any
    default: Any
    doc: str = ""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def type_name(self) -> str:
        return type_name(self.type)


@cache
def _parameters(factory: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """A constructor's parameters, cached, since a build reads them often."""
    try:
        signature = inspect.signature(factory, eval_str=True)
    except Exception as error:  # annotations can be any code
        raise BrokenPlugin(f"the signature of {factory!r} cannot be read: {type(error).__name__}: {error}") from error
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return tuple(p for p in signature.parameters.values() if p.kind not in variadic)


def context_names(factory: Callable[..., Any], *, required: bool = False) -> set[str]:
    """The `CONTEXT` arguments that a constructor asks for, or only those without a default."""
    return {p.name for p in _parameters(factory) if not required or p.default is REQUIRED} & CONTEXT


def read_options(factory: Callable[..., Any]) -> dict[str, Option]:
    """A constructor's options, in the order of its signature."""
    return {option.name: option for option in _options(factory)}


@cache
def _options(factory: Callable[..., Any]) -> tuple[Option, ...]:
    docs = _argument_docs(inspect.getdoc(factory) or "")
    named = [p for p in _parameters(factory) if p.name not in CONTEXT]
    return tuple(Option(p.name, p.annotation, p.default, docs.get(p.name, "")) for p in named)


def _argument_docs(docstring: str) -> dict[str, str]:
    """The lines of a Google-style `Args:` section, by argument."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", docstring, re.MULTILINE)
    if not section:
        return {}
    docs: dict[str, str] = {}
    name = ""
    for line in section.group(1).splitlines():
        if entry := re.match(r" {4}(\w+):\s*(.*)", line):
            name, docs[entry.group(1)] = entry.group(1), entry.group(2)
        elif name and line.strip():
            docs[name] += " " + line.strip()
    return docs


def check_options(factory: Callable[..., Any], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The given options, each known to the constructor and converted to its type, and none missing.

    Args:
        factory: the constructor (a class or a function) with the options.
        given: option name → value; text is converted to the option's type.
        what: names the plugin in errors, for example `noise 'de'`.

    Raises:
        OptionError: an option is unknown, missing, or its value is not of its type.
    """
    found = typed_options(factory, given, what)
    for option in read_options(factory).values():
        if option.required and option.name not in found:
            raise OptionError(f"{what} needs {option.name}=… ({option.type_name}): {option.doc}".rstrip(": "))
    return found


def typed_options(factory: Callable[..., Any], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The same, but options may be missing: a preset can leave a folder to its users, for example."""
    options = read_options(factory)
    given = _renamed(given, getattr(factory, "renamed", {}), what)
    for name in given:
        if name in CONTEXT:
            raise OptionError(f"{what}: '{name}' is determined by other parts and cannot be set.")
        if name not in options:
            raise OptionError(f"{what} has no option '{name}'.{nearest(name, options)}")
    return {name: convert(value, options[name].type, f"{what}: {name}") for name, value in given.items()}


def _renamed(given: Mapping[str, Any], names: Mapping[str, str], what: str) -> dict[str, Any]:
    """Options under their current names."""
    found = dict(given)
    for old in names.keys() & given.keys():
        new = names[old]
        if new in found:
            raise OptionError(f"{what}: {old} is the old name of {new}; use only {new}.")
        warnings.warn(f"{what}: {old} is called {new} now.", GantkWarning, stacklevel=4)
        found[new] = found.pop(old)
    return found


def convert(value: Any, to: Any, what: str) -> Any:
    """A value converted to an option's annotated type; raises `OptionError` if it is not of that type."""
    try:
        return _convert(value, to)
    except (ValueError, TypeError, OverflowError):
        mend = "; write it in quotes" if _is_text(to) and not isinstance(value, (str, list, tuple, Mapping)) else ""
        raise OptionError(f"{what} takes {type_name(to)}, not {value!r}{mend}.") from None


def _is_text(to: Any) -> bool:
    return to in (str, Path) or any(_is_text(member) for member in get_args(to) if isinstance(member, type))


def _convert(value: Any, to: Any) -> Any:
    origin, args = get_origin(to), get_args(to)
    if origin in (Union, types.UnionType):
        return _convert_union(value, args)
    if origin is Literal:
        return _choice(value, args)
    if to is str:
        return _text(value)
    if to is Path:
        return _path(value)
    if origin in (tuple, list):
        return _sequence(value, origin, args)
    if isinstance(value, Written):
        value = parse_value(value)
    if to is inspect.Parameter.empty or to is Any:
        return value
    if to in _NUMBERS:
        return _NUMBERS[to](value)
    if origin in (dict, Mapping) or to is dict or getattr(origin, "__name__", "") == "Mapping":
        return dict(_exactly(value, Mapping))
    return value if isinstance(value, origin or to) else _exactly(value, origin or to)


def _choice(value: Any, choices: tuple[Any, ...]) -> Any:
    # Of a union, try words before numbers.
    meanings = (value.text, parse_value(value)) if isinstance(value, Written) else (value,)
    for meaning in meanings:
        for choice in choices:
            # True == 1, but must not be accepted as 1.
            if choice == meaning and isinstance(choice, bool) == isinstance(meaning, bool):
                return choice
    raise ValueError(value)


def _convert_union(value: Any, members: tuple[Any, ...]) -> Any:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        if type(None) in members:
            return None
        raise ValueError(value)
    for member in members:
        if member is type(None):
            continue
        try:
            return _convert(value, member)
        except (ValueError, TypeError, OverflowError):
            continue
    raise ValueError(value)


def _boolean(value: Any) -> bool:
    words = {"true": True, "false": False, "yes": True, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    return bool(_exactly(value, bool))


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    found = int(value) if isinstance(value, str) or (isinstance(value, float) and value.is_integer()) else value
    if not -(1 << 63) <= _exactly(found, int) < 1 << 63:  # what sizes and indices have at most
        raise ValueError(value)
    return int(found)


def _float(value: Any) -> float:
    if isinstance(value, str):
        return float(value)
    if isinstance(value, bool):
        raise TypeError(value)
    return float(_exactly(value, (int, float)))


_NUMBERS: dict[Any, Callable[[Any], Any]] = {bool: _boolean, int: _integer, float: _float}


def _text(value: Any) -> str:
    return value.text if isinstance(value, Written) else str(_exactly(value, (str, Path)))


def _path(value: Any) -> Path:
    if not (text := _text(value)):
        raise ValueError(value)  # often an unset variable of a script: not the current folder
    return place(text).absolute()


def _exactly(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(value)
    return value


def _sequence(value: Any, origin: type, args: tuple[Any, ...]) -> Any:
    items: list[Any] = value.items if isinstance(value, Written) else [value]
    if isinstance(value, (list, tuple)):
        items = list(value)
    if origin is tuple and args and args[-1] is not Ellipsis:
        if len(items) != len(args):
            raise ValueError(value)
        return tuple(_convert(item, kind) for item, kind in zip(items, args, strict=True))
    return origin(_convert(item, args[0]) if args else item for item in items)


def type_name(annotation: Any) -> str:
    """A type in messages: `int`, `float or none`, `'l1' or 'l2'`, `list of int`, `table`."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is inspect.Parameter.empty or annotation is Any:
        return "any value"
    if annotation is type(None):
        return "none"
    if origin is Literal:
        return " or ".join(repr(a) for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(a) for a in args)
    if origin in (tuple, list):
        if len(args) > 1 and args[-1] is not Ellipsis:
            return f"a list of {len(args)} {type_name(args[0])}"
        return f"list of {type_name(args[0])}" if args else "list"
    if origin is Mapping or (origin or annotation) is dict:
        return "table"
    if annotation is bool:
        return "true or false"
    return "path" if annotation is Path else getattr(annotation, "__name__", str(annotation))
