"""Reading TOML on every supported Python, and numbers as text that reads back as the same number."""

import sys
from decimal import Decimal

if sys.version_info >= (3, 11):
    from tomllib import TOMLDecodeError, loads
else:
    from tomli import TOMLDecodeError, loads

__all__ = ["TOMLDecodeError", "loads", "number"]


def number(value: float) -> str:
    """A finite number with every digit that it needs and no exponent: `1600000`, `0.1`, `123456.7`, `0.0000001`."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
