"""Packages that only some extractors need."""

from __future__ import annotations

import importlib
from typing import Any

from gantk.errors import BrokenPlugin, briefly

__all__ = ["imported"]


def imported(module: str, extra: str) -> Any:
    """A module of a package that an extra of gantk's brings.

    Raises:
        BrokenPlugin: it cannot be imported; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        mend = f"pip install 'gantk[{extra}]'"
        raise BrokenPlugin(f"{module.partition('.')[0]} cannot be imported ({briefly(error)}): {mend}.") from error
