"""The errors that gantk raises on bad input: what was given, what was expected, and the mend, in one line.

`UsageError` and its children are what a caller can mend by asking differently (the CLI exits 2);
`WorkError` and its children are work that failed (the CLI exits 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = [
    "BrokenPlugin",
    "CheckpointError",
    "DataError",
    "Diverged",
    "FitError",
    "GantkError",
    "GantkWarning",
    "Interrupted",
    "OptionError",
    "RunError",
    "SlowFallback",
    "UnknownName",
    "UsageError",
    "WorkError",
    "briefly",
    "calling",
    "nearest",
]


class GantkError(Exception):
    """The base of every error that gantk raises on purpose."""


class UsageError(GantkError):
    """The request itself cannot be met; asking differently mends it."""


class UnknownName(UsageError):
    """A name that nothing is registered under, or that two packages claim."""


class OptionError(UsageError):
    """An option that does not exist, or a value that it does not take."""


class FitError(UsageError):
    """Parts that do not fit each other: a shape, or a need that nobody provides."""


class WorkError(GantkError):
    """The work was asked for properly and failed."""


class BrokenPlugin(WorkError):
    """A registered plugin whose code cannot be imported or is not what its kind asks for."""


class DataError(WorkError):
    """A data set that is missing, damaged, or not what it says it is; the message names the file."""


class RunError(WorkError):
    """A run folder that cannot be used as asked."""


class CheckpointError(RunError):
    """A checkpoint that is damaged or does not belong to its run."""


class Diverged(WorkError):
    """A loss, a gradient or a parameter that is NaN or infinite."""


class GantkWarning(UserWarning):
    """The base of every warning of gantk's: what somebody should know, and no error."""


class SlowFallback(GantkWarning):
    """Something works, many times slower than it could."""


class Interrupted(WorkError):
    """Training was stopped by a signal; everything up to the last step is saved."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


@contextmanager
def calling(what: str, arguments: str, mend: str = "") -> Iterator[None]:
    """An error of a part's own code is one line that names the part and what it was given.

    Raises:
        FitError: the code raised anything but an error of gantk's.
    """
    try:
        yield
    except GantkError:
        raise
    except Exception as error:
        said = f"{what} fails on {arguments}: {type(error).__name__}: {briefly(error)}".rstrip(": ")
        raise FitError(f"{said}{mend}") from error


def briefly(error: BaseException) -> str:
    """An error's text on one line, cut after 300 characters and without its full stop."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text[:300]}…" if len(text) > 300 else text


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for a name close to a known one, else the known names."""
    import difflib  # only an error needs it, and every command would pay for it

    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(names)}." if names else " None is installed."
