"""Faults of a part's own code, said in one line that names the part and its method."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gantk import parts
from gantk.errors import FitError, GantkError, briefly
from gantk.parts import Part
from gantk.recipe import Recipe

__all__ = ["blaming"]

BASES = parts.__file__
"""Methods that plugins inherit: what fails in one is the doing of the plugin that called it."""


@contextmanager
def blaming(where: str = "") -> Iterator[None]:
    """An error that a part or a recipe raises is one line that names its class and method.

    Args:
        where: what the line begins with, as `stage 'game', step 12: `.

    Raises:
        FitError: in place of any error but gantk's own, where code of a part or recipe raised it.
    """
    try:
        yield
    except GantkError:
        raise
    except Exception as error:
        found = [name for frame, _ in traceback.walk_tb(error.__traceback__) if (name := _method(frame))]
        if not found:
            raise
        fault = FitError(f"{where}{found[-1]} fails: {type(error).__name__}: {briefly(error)}.")
        fault.of_code = True
        raise fault from error


def _method(frame: FrameType) -> str:
    """`Class.method` of a plugin that this frame runs; empty for any other code."""
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    if not isinstance(owner, (Part, Recipe)) or code.co_filename == BASES:
        return ""
    members = {name: member for each in reversed(type(owner).__mro__) for name, member in vars(each).items()}
    called = [name for name, member in members.items() if getattr(member, "__code__", None) is code]
    return f"{type(owner).__name__}.{called[0] if called else code.co_name}"
