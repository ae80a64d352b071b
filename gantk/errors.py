"""The errors that gantk raises: what was given, what was expected, and how to fix it, in one line.

`UsageError` and its subclasses report invalid requests (the CLI exits with 2); `WorkError` and its subclasses report
work that failed (the CLI exits with 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "BrokenPlugin",
    "CheckpointError",
    "DamagedCheckpoint",
    "DataError",
    "Diverged",
    "FitError",
    "ForeignCheckpoint",
    "GantkError",
    "GantkWarning",
    "Interrupted",
    "NativeMismatch",
    "NothingHeldOut",
    "OptionError",
    "RunError",
    "SlowFallback",
    "UnknownName",
    "UnusableCheckpoint",
    "UsageError",
    "WorkError",
    "briefly",
    "nearest",
]


class GantkError(Exception):
    """The base class of all errors that gantk raises."""


class UsageError(GantkError):
    """The request is invalid; the message says how to change it."""


class UnknownName(UsageError):
    """A name that is not registered, or that several packages register."""


class OptionError(UsageError):
    """An option that does not exist, or a value that it does not accept."""


class FitError(UsageError):
    """Parts that do not fit together: a shape mismatch, or a need that no part provides.

    `gantk.build` looks for other parts, recipes and options that fit, and says those in place of `mend`.

    Args:
        problem: what does not fit; where it stands alone, a whole message.
        mend: what to change, for where nothing is known to fit.
        also: what could be changed besides, and no search can find, such as the data.
    """

    of_code = False
    """Whether it is a fault of a part's own code, for which other parts are no advice."""

    def __init__(self, problem: str, mend: str = "", also: str = "") -> None:
        advice = ", or ".join(filter(None, (mend, also)))
        super().__init__(f"{problem}: {advice}." if advice else problem)
        self.problem = problem
        self.mend = mend
        self.also = also

    def about(self, what: str) -> FitError:
        """The same error, whose message begins with what it is about."""
        found = FitError(f"{what}: {self.problem}", self.mend, self.also)
        found.of_code = self.of_code
        return found

    def advising(self, mend: str) -> FitError:
        """The same error with better advice."""
        if self.mend or self.also:
            return FitError(self.problem, mend, self.also)
        return FitError(f"{self.problem.rstrip('.')}. This builds: {mend}.")


class WorkError(GantkError):
    """A valid request that failed."""


class BrokenPlugin(WorkError):
    """A registered plugin that cannot be imported or does not implement its kind."""


class DataError(WorkError):
    """A data set that is missing, damaged, or of the wrong format; the message names the file."""


class NothingHeldOut(DataError):
    """Held-out images are asked for of a data set that holds none out."""


class RunError(WorkError):
    """A run folder that cannot be used for the request."""


class CheckpointError(RunError):
    """A checkpoint that is damaged or does not belong to its run."""


class UnusableCheckpoint(CheckpointError):
    """A checkpoint that an earlier one can stand in for: see its subclasses.

    Args:
        path: the file.
        reason: what is wrong with it.
        mend: what to do.
    """

    says = "cannot be used"
    """What is said of the file before the reason."""

    def __init__(self, path: Path, reason: str, mend: str = "") -> None:
        super().__init__(f"{path} {self.says}: {reason}" + (f"; {mend}." if mend else "."))
        self.path = path
        self.reason = reason
        self.mend = mend

    def advising(self, mend: str) -> UnusableCheckpoint:
        """The same error with other advice."""
        return type(self)(self.path, self.reason, mend)


class DamagedCheckpoint(UnusableCheckpoint):
    """A checkpoint of which a file is missing, or is not what was written."""

    says = "is damaged"


class ForeignCheckpoint(UnusableCheckpoint):
    """A checkpoint that is whole, but of another model than that of its run."""

    says = "does not fit this run"


class Diverged(WorkError):
    """A loss, a gradient or a parameter that is NaN or infinite."""


class GantkWarning(UserWarning):
    """The base class of all warnings of gantk."""


class SlowFallback(GantkWarning):
    """An operation runs many times slower than it could."""


class NativeMismatch(GantkWarning):
    """Native code gave another result than plain torch on this device, and is not used there."""


class Interrupted(WorkError):
    """Training was stopped by a signal; everything up to the last step is saved.

    Args:
        message: what was stopped, and how to resume.
        signal_number: the signal.
        told: whether the process of another device prints the message.
    """

    def __init__(self, message: str, signal_number: int, told: bool = False) -> None:
        super().__init__(message)
        self.signal_number, self.told = signal_number, told


def briefly(error: BaseException) -> str:
    """An error's text on one line, cut after 300 characters and without the final period."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{text[:300]}…" if len(text) > 300 else text


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` if a known name is close, else the known names."""
    import difflib  # imported here because only errors need it

    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(names)}." if names else " There are none."
