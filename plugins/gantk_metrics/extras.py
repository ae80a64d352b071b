"""Optional packages of some extractors."""

from __future__ import annotations

import importlib
from typing import Any

from gantk.errors import BrokenPlugin, briefly

__all__ = ["imported"]


def imported(module: str, extra: str) -> Any:
    """Import a module of an optional package.

    Raises:
        BrokenPlugin: it cannot be imported; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        mend = f"pip install 'gantk[{extra}]'"
        raise BrokenPlugin(f"cannot import {module.partition('.')[0]} ({briefly(error)}): {mend}.") from error
