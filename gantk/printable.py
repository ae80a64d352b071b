"""Text that others wrote, for a terminal: its control characters are shown, not obeyed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

__all__ = ["one_line", "printable", "printable_output"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except tabs and line feeds, marks that turn the direction of text around, and surrogates."""
_LINES = re.compile(r"[\t\n]")


def printable(text: str) -> str:
    """Text whose control characters are written as `\\x1b` is."""
    return _CONTROL.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same, with line feeds and tabs written so as well."""
    return _LINES.sub(_escaped, printable(text))


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "backslashreplace").decode("ascii")


class _Printable:
    """A stream that writes control characters as text, but for a carriage return that begins what is written.

    With that, progress bars return to the beginning of their line. There is no `buffer`: bytes would not be checked.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        begins = text[:1] if text[:1] == "\r" else ""
        self._stream.write(begins + printable(text[len(begins) :]))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def printable_output() -> Iterator[None]:
    """Within this context, what anybody prints to standard output and standard error is printable."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _Printable(stream)) if stream is not None else stream for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
