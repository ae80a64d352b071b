"""Options: the typed keyword arguments of a plugin's constructor, read, parsed and checked in one place.

The command line (`de:dim=64,sample=false`), TOML and Python calls all pass through `check_options`, so that
the three mean the same thing.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from gantk import toml
from gantk.errors import BrokenPlugin, OptionError, nearest

__all__ = [
    "CONTEXT",
    "Option",
    "check_options",
    "context_names",
    "parse_part",
    "parse_value",
    "read_options",
    "write_options",
    "write_part",
]

CONTEXT = frozenset({"image_shape", "noise_dim", "class_count", "class_names"})
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


def _parameters(factory: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        signature = inspect.signature(factory, eval_str=True)
    except Exception as error:  # an annotation is any code of a plugin's
        raise BrokenPlugin(f"the signature of {factory!r} cannot be read: {type(error).__name__}: {error}") from error
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in signature.parameters.values() if p.kind not in variadic]


def context_names(factory: Callable[..., Any]) -> set[str]:
    """The `CONTEXT` arguments that a constructor asks for."""
    return {p.name for p in _parameters(factory)} & CONTEXT


def read_options(factory: Callable[..., Any]) -> dict[str, Option]:
    """A constructor's options, in the order of its signature."""
    docs = _argument_docs(inspect.getdoc(factory) or "")
    return {
        p.name: Option(p.name, p.annotation, p.default, docs.get(p.name, ""))
        for p in _parameters(factory)
        if p.name not in CONTEXT
    }


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
    """The given options, each known to the constructor and converted to its type.

    Args:
        factory: the constructor (a class or a function) whose signature says what is allowed.
        given: option name → value; strings are parsed as the option's type.
        what: names the plugin in errors, for example `noise 'de'`.

    Raises:
        OptionError: an option is unknown, missing, or its value is not of its type.
    """
    options = read_options(factory)
    for name in given:
        if name in CONTEXT:
            raise OptionError(f"{what}: '{name}' follows from the other parts and cannot be set.")
        if name not in options:
            raise OptionError(f"{what} has no option '{name}'.{nearest(name, options)}")
    for option in options.values():
        if option.required and option.name not in given:
            raise OptionError(f"{what} needs {option.name}=… ({option.type_name}): {option.doc}".rstrip(": "))
    return {name: convert(value, options[name].type, f"{what}: {name}") for name, value in given.items()}


def convert(value: Any, to: Any, what: str) -> Any:
    """A value as the type that an option is annotated with; `OptionError` where it is not one."""
    if to is inspect.Parameter.empty or to is Any:
        return value
    try:
        return _convert(value, to)
    except (ValueError, TypeError):
        raise OptionError(f"{what} takes {type_name(to)}, not {value!r}.") from None


def _convert(value: Any, to: Any) -> Any:
    origin, args = get_origin(to), get_args(to)
    if origin in (Union, types.UnionType):
        return _convert_union(value, args)
    if origin is Literal:
        return _choice(value, args)
    if to is bool:
        return _boolean(value)
    if to is int:
        return _integer(value)
    if to is float:
        return _float(value)
    if to is str:
        return _text(value)
    if to is Path:
        return Path(_text(value)).expanduser().absolute()
    if origin in (tuple, list):
        return _sequence(value, origin, args)
    if origin in (dict, Mapping) or to is dict or getattr(origin, "__name__", "") == "Mapping":
        return dict(_exactly(value, Mapping))
    return value if isinstance(value, origin or to) else _exactly(value, origin or to)


def _choice(value: Any, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        # True equals 1, and does not mean it.
        if choice == value and isinstance(choice, bool) == isinstance(value, bool):
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
        except (ValueError, TypeError):
            continue
    raise ValueError(value)


def _boolean(value: Any) -> bool:
    words = {"true": True, "false": False, "yes": True, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    return bool(_exactly(value, bool))


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool):
        raise TypeError(value)
    return int(_exactly(value, int))


def _float(value: Any) -> float:
    if isinstance(value, str):
        return float(value)
    if isinstance(value, bool):
        raise TypeError(value)
    return float(_exactly(value, (int, float)))


def _text(value: Any) -> str:
    """Text or a path; a name that is all digits has been read as a number on the way here."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return str(_exactly(value, (str, Path)))


def _exactly(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(value)
    return value


def _sequence(value: Any, origin: type, args: tuple[Any, ...]) -> Any:
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    if origin is tuple and args and args[-1] is not Ellipsis:
        if len(items) != len(args):
            raise ValueError(value)
        return tuple(_convert(item, kind) for item, kind in zip(items, args, strict=True))
    return origin(_convert(item, args[0]) if args else item for item in items)


def type_name(annotation: Any) -> str:
    """A type as a user reads it: `int`, `float or none`, `'l1' or 'l2'`, `list of int`, `table`."""
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
    return "path" if annotation is Path else getattr(annotation, "__name__", str(annotation))


def parse_value(text: str) -> Any:
    """A value as it is written on a command line: TOML where it is TOML (`0.5`, `[1, 2]`, `true`), else the text."""
    try:
        # Within brackets a comment or a line break cannot silently end the value.
        document = toml.loads(f"v = [{text}]")
    except toml.TOMLDecodeError:
        return text
    whole = len(document) == 1 and len(document["v"]) == 1
    # A folder called 2024-01-31 is not a date.
    return document["v"][0] if whole and isinstance(document["v"][0], (bool, int, float, str, list, dict)) else text


def parse_part(text: str) -> tuple[str, dict[str, Any]]:
    """`de:dim=64,sample=false` → `("de", {"dim": 64, "sample": False})`; `package:name:dim=64` names the package.

    Raises:
        OptionError: the text is empty or an option is not of the form `name=value`.
    """
    head, found, rest = text.strip(), "", ""
    if option := re.search(r":(?=[A-Za-z_]\w*=)|:$", head):
        found, rest = ":", head[option.end() :]
        head = head[: option.start()]
    if not head or re.search(r"[\s=,]", head):
        raise OptionError(f"'{text}' does not name a plugin; expected NAME or NAME:option=value,option=value.")
    options: dict[str, Any] = {}
    for item in _split(rest) if found else ():
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise OptionError(f"'{item}' in '{text}' is not an option; expected option=value.")
        options[name.strip()] = parse_value(value.strip())
    return head, options


def write_part(name: str, options: Mapping[str, Any]) -> str:
    """The text that `parse_part` reads as this plugin with these options."""
    return f"{name}:{write_options(options)}" if options else name


def write_options(options: Mapping[str, Any]) -> str:
    """`option=value,option=value`, as it is written on a command line."""
    return ",".join(f"{name}={_written(value)}" for name, value in options.items())


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return toml.number(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(str(k))} = {_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_quoted(v) if isinstance(v, str) else _written(v) for v in value) + "]"
    return str(value) if not isinstance(value, str) or _reads_as_itself(value) else _quoted(value)


def _reads_as_itself(text: str) -> bool:
    return parse_value(text) == text and text == text.strip() and not set(text) & set(",'\"()[]{}")


def _quoted(text: str) -> str:
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)
    return f'"{escaped}"'


def _split(text: str) -> Iterable[str]:
    """Split on the commas that stand outside of brackets and quotes."""
    depth, quote, item = 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "[{(") - (character in "]})")
        if character == "," and not depth and not quote:
            yield item
            item = ""
        else:
            item += character
    if item.strip():
        yield item
