"""Reading JSON that may be damaged or hostile: every failure is a `ValueError`."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["loads"]

MOST = 1 << 64
"""Whole numbers are smaller than this."""
DIGITS = len(str(-MOST))


def loads(content: bytes | str) -> Any:
    """What a JSON document says.

    Raises:
        ValueError: it is not JSON, has a whole number of more than 64 bits, or is nested too deeply.
    """
    try:
        return json.loads(content, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _integer(text: str) -> int:
    if len(text) > DIGITS or abs(value := int(text)) >= MOST:
        raise ValueError(f"a whole number has {len(text)} digits, which is more than 64 bits hold")
    return value
