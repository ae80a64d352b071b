"""Report errors of a part's code in one line that names the part and its method."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from gantk import parts
from gantk.errors import FitError, GantkError, briefly
from gantk.memory import ran_out
from gantk.parts import Part
from gantk.recipe import Recipe

__all__ = ["blaming"]

BASES = Path(parts.__file__).parent
"""Where methods that plugins inherit are: an error in one of them is attributed to the plugin that called it."""


@contextmanager
def blaming(where: str = "") -> Iterator[None]:
    """Convert errors of the code of parts and recipes to one line that names the class and the method.

    Args:
        where: prefix of the line, such as `stage 'game', step 12: `.

    Raises:
        FitError: in place of any error that is not gantk's own and was raised by the code of a part or recipe.
    """
    try:
        yield
    except GantkError:
        raise
    except Exception as error:
        if ran_out(error):
            raise  # no fault of the code that asked for it last
        found = [name for frame, _ in traceback.walk_tb(error.__traceback__) if (name := _method(frame))]
        if not found:
            raise
        fault = FitError(f"{where}{found[-1]} fails: {type(error).__name__}: {briefly(error)}.")
        fault.of_code = True
        raise fault from error


def _method(frame: FrameType) -> str:
    """`Class.method` of the plugin that this frame runs; empty for other code."""
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    if not isinstance(owner, (Part, Recipe)) or Path(code.co_filename).parent == BASES:
        return ""
    members = {name: member for each in reversed(type(owner).__mro__) for name, member in vars(each).items()}
    called = [name for name, member in members.items() if getattr(member, "__code__", None) is code]
    return f"{type(owner).__name__}.{called[0] if called else code.co_name}"
