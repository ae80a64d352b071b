"""Durations in words."""

from __future__ import annotations

import math

__all__ = ["duration"]

UNITS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0))


def duration(seconds: float) -> str:
    """`less than a minute`, `about 3 minutes`, `about 2.5 hours`, `about 12 days`."""
    if not math.isfinite(seconds):
        return "unknown"
    for unit, length in UNITS:
        amount = seconds / length
        if amount >= 1:
            text = f"{amount:.0f}" if unit == "minute" or amount >= 9.5 else f"{amount:.1f}".removesuffix(".0")
            return f"about {text} {unit}{'' if text == '1' else 's'}"
    return "less than a minute"
