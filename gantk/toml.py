"""Reading TOML on every supported Python, and numbers as text that reads back as the same number."""

import re
import sys
from decimal import Decimal
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
    from tomllib import TOMLDecodeError
else:
    import tomli as tomllib
    from tomli import TOMLDecodeError

__all__ = ["LARGEST", "TOMLDecodeError", "loads", "number"]

LARGEST = 1 << 21
"""Characters of a document, at most."""
DEEPEST = 64
"""Brackets within brackets, at most."""
PARTS = 16
"""Parts of a dotted key, at most: memory grows with their square."""
LONGEST = 512
"""Characters of a number, a date or a bare key, at most."""

_TOKEN = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|(?P<open_text>"""|\'\'\')'''
    r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|(?P<open_line>["'])"""
    r"|#[^\n]*|(?P<opens>[\[{])|(?P<closes>[\]}])|(?P<dot>\.)|(?P<ends>[=,\n])|(?P<word>[\w+:-]+)",
    re.DOTALL,
)


def loads(text: str) -> dict[str, Any]:
    """The tables of a TOML document.

    Raises:
        TOMLDecodeError: it is not TOML, or larger or deeper than any document of gantk.
    """
    _check(text)
    try:
        return tomllib.loads(text)
    except TOMLDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise TOMLDecodeError(f"a value cannot be read ({type(error).__name__})") from error


def _check(text: str) -> None:
    """Check sizes before anything is built of them."""
    if len(text) > LARGEST:
        raise TOMLDecodeError(f"it has {len(text)} characters; expected at most {LARGEST}")
    depth = parts = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in ("open_text", "open_line"):  # never closed: the parser gets no further either
            return
        depth += (kind == "opens") - (kind == "closes")
        parts = parts + 1 if kind == "dot" else 1 if kind in ("opens", "ends") else parts
        if depth > DEEPEST:
            raise TOMLDecodeError(f"more than {DEEPEST} brackets are open{_place(text, token)}")
        if parts > PARTS:
            raise TOMLDecodeError(f"a key has more than {PARTS} parts{_place(text, token)}")
        if kind == "word" and len(token.group()) > LONGEST:
            said = f"a number or key has {len(token.group())} characters; expected at most {LONGEST}"
            raise TOMLDecodeError(f"{said}{_place(text, token)}")


def _place(text: str, token: re.Match[str]) -> str:
    return f" (at line {text.count(chr(10), 0, token.start()) + 1})"


def number(value: float) -> str:
    """A finite number with every digit that it needs and no exponent: `1600000`, `0.1`, `123456.7`, `0.0000001`."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
