"""Text as people write it, on a command line or in a TOML string: `de:dim=64,sample=false`.

What is written stays text (`Written`) until the type of the option that it belongs to says how to read it: a folder
called `2024_01_05`, `1e3` or `true` is no number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from gantk import toml
from gantk.errors import OptionError

__all__ = ["Written", "parse_part", "parse_value", "write_options", "write_part"]

_QUOTED = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')(?=\s*(?:[,\]})]|\Z))""", re.DOTALL)
_CLOSES = {"[": "]", "{": "}", "(": ")"}
_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*")
_NEXT_OPTION = re.compile(r"(?=(\s*))\1(?:,(?=\s*[A-Za-z_]\w*\s*=)|,?\s*\Z)")  # tries a run of spaces once
_NEXT_ITEM = re.compile(r"\s*(?:,|\Z)")


class Written(str):
    """A value as somebody wrote it."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """What it means as text: quotes around the whole of it are no part of it."""
        if not _QUOTED.fullmatch(self):
            return str(self)
        value = parse_value(self)
        return value if isinstance(value, str) and value != self else str(self[1:-1])

    @property
    def items(self) -> list[Written]:
        """What it means as a list: `[a, b]`, `a, b`, or one item."""
        bracketed = self.startswith("[") and _closed(self, 0, {}) == len(self)
        inner = self[1:-1].strip() if bracketed else str(self)
        if bracketed and not inner:
            return []
        found: list[Written] = []
        at, closed = 0, dict[int, int]()
        while at < len(inner) or not found:
            end = _end(inner, at, _NEXT_ITEM, closed)
            found.append(Written(inner[at:end].strip()))
            following = _NEXT_ITEM.match(inner, end)
            at = following.end() if following else len(inner)
        return found


def parse_value(text: str) -> Any:
    """A value of no known type: TOML where it is TOML (`0.5`, `[1, 2]`, `true`), else the text."""
    try:
        # Within brackets a comment or a line break cannot silently end the value.
        document = toml.loads(f"v = [{text}]")
    except toml.TOMLDecodeError:
        return str(text)
    whole = len(document) == 1 and len(document["v"]) == 1
    value = document["v"][0] if whole else None
    return value if isinstance(value, (bool, int, float, str, list, dict)) else str(text)  # 2024-01-31 is no date here


def parse_part(text: str) -> tuple[str, dict[str, Any]]:
    """`de:dim=64,sample=false` → `("de", {"dim": "64", "sample": "false"})`; `package:name:dim=64` names the package.

    The values are `Written`: `gantk.options.check_options` reads each as its option's type. A comma belongs to a value
    unless another `name=` follows it; quotes and brackets count only where a value begins.

    Raises:
        OptionError: the text names no plugin, or what follows the name is no option.
    """
    head, options = text.strip(), ""
    if found := re.search(r":(?=[A-Za-z_]\w*=)|:$", head):
        head, options = head[: found.start()], head[found.end() :]
    if not head or re.search(r"[\s=,]", head):
        comma = re.match(r"([^\s=,]+),(?=[A-Za-z_]\w*=)", head)
        several = re.fullmatch(r"[^\s=,]+(\s*,\s*[^\s=,]+)+", head)
        mend = "; give one at a time: repeat the option, or in Python write a list." if several else "."
        mend = f"; did you mean '{comma.group(1)}:{head[comma.end() :]}'?" if comma else mend
        raise OptionError(f"'{text}' does not name a plugin; expected NAME or NAME:option=value,option=value{mend}")
    return head, parse_options(options)


def parse_options(text: str) -> dict[str, Any]:
    """`dim=64,sample=false` → `{"dim": "64", "sample": "false"}`, the values `Written`.

    Raises:
        OptionError: it does not begin with `name=`, or has a name twice.
    """
    options: dict[str, Any] = {}
    at, closed = 0, dict[int, int]()
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            raise OptionError(f"'{text[at:]}' is not an option; expected option=value.")
        if name.group(1) in options:
            raise OptionError(f"'{text}' contains {name.group(1)}= twice; give it once.")
        end = _end(text, name.end(), _NEXT_OPTION, closed)
        options[name.group(1)] = Written(text[name.end() : end])
        following = _NEXT_OPTION.match(text, end)
        at = following.end() if following else len(text)
    return options


def write_part(name: str, options: Mapping[str, Any]) -> str:
    """The text that `parse_part` reads as this plugin with these options."""
    return f"{name}:{write_options(options)}" if options else name


def write_options(options: Mapping[str, Any]) -> str:
    """`option=value,option=value`, as it is written on a command line."""
    return ",".join(f"{name}={_value(value)}" for name, value in options.items())


def _value(value: Any) -> str:
    if isinstance(value, Written) and parse_options(f"x={value},y=1") == {"x": value, "y": "1"}:
        return str(value)
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return toml.number(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(str(k))} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_quoted(str(v)) if isinstance(v, (str, PurePath)) else _value(v) for v in value) + "]"
    return str(value) if not isinstance(value, str) or _reads_as_itself(value) else _quoted(value)


def _reads_as_itself(text: str) -> bool:
    return parse_value(text) == text and text == text.strip() and not set(text) & set(",'\"()[]{}")


def _quoted(text: str) -> str:
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    escaped = "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in text)
    return f'"{escaped}"'


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 1 << 16 else f"\\U{ord(character):08x}"


def _end(text: str, at: int, ends: re.Pattern[str], closed: dict[int, int]) -> int:
    """Where the value ends that begins at a place: before what `ends` matches outside of quotes and brackets."""
    begins = True
    while at < len(text) and not ends.match(text, at):
        after = _closed(text, at, closed) if begins else at
        begins = after == at and (text[at] == "=" or (begins and text[at].isspace()))
        at = max(after, at + 1)
    return at


def _closed(text: str, start: int, known: dict[int, int]) -> int:
    """Behind the quotes or brackets that open at a place; the place itself where none do, or they never close.

    What it finds of further brackets is kept in `known`, so that a text is passed over once.
    """
    if start in known:
        return known[start]
    at, begins = start, True
    opened: list[tuple[int, str]] = []
    while at < len(text):
        if begins and (quoted := _QUOTED.match(text, at)):
            at, begins = quoted.end(), False
        else:
            character = text[at]
            at += 1
            if character in _CLOSES:
                opened.append((at - 1, _CLOSES[character]))
            elif opened and character == opened[-1][1]:
                known[opened.pop()[0]] = at
            begins = character in "=,[{(" or (begins and character.isspace())
        if not opened:
            return at if text[start] in "\"'[{(" and at > start + 1 else start
    known.update((place, place) for place, _ in opened)
    return start
