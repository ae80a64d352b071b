"""Calls of code that is not gantk's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gantk.errors import FitError, GantkError, briefly
from gantk.memory import ran_out

__all__ = ["calling"]


@contextmanager
def calling(what: str, arguments: str, mend: str = "") -> Iterator[None]:
    """Turn an exception from a part's own code into a one-line error that names the part and its arguments.

    Raises:
        FitError: the code raised an exception other than gantk's own, and not for want of memory.
    """
    try:
        yield
    except GantkError:
        raise
    except Exception as error:
        if ran_out(error):
            raise
        said = f"{what} fails on {arguments}: {type(error).__name__}: {briefly(error)}".rstrip(": ")
        fault = FitError(f"{said}{mend}")
        fault.of_code = True
        raise fault from error
