"""Arguments that have a new name."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gantk.errors import GantkWarning

__all__ = ["renamed"]

P = ParamSpec("P")
T = TypeVar("T")


def renamed(**names: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Still read keyword arguments by their former names, with a warning: `@renamed(old="new")`."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def reading(*arguments: P.args, **options: P.kwargs) -> T:
            for old, new in names.items():
                if old in options and new not in options:
                    text = f"{function.__qualname__}: the argument {old} is called {new} now."
                    warnings.warn(text, GantkWarning, stacklevel=2)
                    options[new] = options.pop(old)
            return function(*arguments, **options)

        return reading

    return decorate
