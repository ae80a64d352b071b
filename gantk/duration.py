"""Durations, as people write and read them."""

from __future__ import annotations

import math
import re

from gantk.errors import OptionError

__all__ = ["duration", "seconds_of"]

LONG = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))


def duration(seconds: float) -> str:
    """`less than a minute`, `about 3 minutes`, `about 2.5 hours`, `about 12 days`."""
    if not math.isfinite(seconds):
        return "unknown"
    for unit, length in LONG:
        amount = seconds / length
        if amount >= 1:
            text = f"{amount:.0f}" if unit == "minute" or amount >= 9.5 else f"{amount:.1f}".removesuffix(".0")
            return f"about {text} {unit}{'' if text == '1' else 's'}"
    return "less than a minute"


UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
}


def seconds_of(time: str | float) -> float:
    """The seconds of a duration such as `90 s`, `30min`, `1.5h` or `2 days`; a number is seconds.

    Raises:
        OptionError: it is none of these, or not above 0.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+?)s?\s*", str(time).lower())
    if isinstance(time, (int, float)) and not isinstance(time, bool):
        seconds = float(time)
    elif found and found[2] in UNITS:
        seconds = float(found[1]) * UNITS[found[2]]
    else:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise OptionError(f"time is one number with its unit, such as 30min, 1.5h or 90s, not {time!r}.")
    return seconds
