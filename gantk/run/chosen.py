"""How a run computes, where `train.precision=auto` lets gantk choose: measured once, and kept in `precision.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gantk import json_text
from gantk.errors import RunError
from gantk.files import read_whole
from gantk.run.folder import Run

__all__ = ["GAIN", "Chosen", "Computing", "precision_of", "read_chosen", "write_chosen"]

GAIN = 1.1
"""How many times as fast as plain float32 a choice is at least; smaller differences are those of two measurements."""


@dataclass(frozen=True)
class Computing:
    """In what precision networks compute, and how their weights lie in memory."""

    precision: str = "32-true"
    memory_format: str = "contiguous"

    def __str__(self) -> str:
        return self.precision if self.memory_format == "contiguous" else f"{self.precision}, {self.memory_format}"


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and from what."""

    precision: str
    memory_format: str
    step: int
    """The step of the run at which it was measured."""
    stage: str
    images: int
    """Images of each measured batch, on one device."""
    device: str
    seconds: Mapping[str, float]
    """What was measured: the median time of a step, plain float32 first; empty if nothing was."""
    why: str = ""
    """Why nothing was measured."""
    planned: int = 0
    """The steps that the run had then, of all stages; 0 where it is not known."""

    def serves(self, planned: int) -> bool:
        """Whether it is still the choice for a run of so many steps: what was too short may have grown."""
        return not (self.why and 0 < self.planned < planned)

    @property
    def computing(self) -> Computing:
        return Computing(self.precision, self.memory_format)

    def __str__(self) -> str:
        if self.why:
            return f"{self.computing}, since {self.why}"
        plain = next(iter(self.seconds.values()), math.nan)
        speeds = {name: plain / seconds for name, seconds in [*self.seconds.items()][1:]}
        chosen = str(self.computing)
        where = f"measured on {self.images} image{'s' * (self.images != 1)} of stage '{self.stage}', {self.device}"
        where += f", at step {self.step}" * (self.step > 0)
        if chosen in speeds:
            return f"{chosen}: {speeds[chosen]:.2f} times as fast as {next(iter(self.seconds))}, {where}"
        others = ", ".join(f"{name}: {speed:.2f} times as fast" for name, speed in speeds.items())
        others = others or "the others are much slower, or fail"
        return f"{chosen}, since nothing else is clearly faster ({others}), {where}"


def precision_of(run: Run) -> str:
    """The precision of a run's training: its setting, or what was chosen for it; `auto` before the choice.

    Raises:
        RunError: `model.toml` or the record of the choice is damaged.
    """
    setting = str(dict(run.spec().get("train", {})).get("precision", "32-true"))
    chosen = read_chosen(run) if setting == "auto" else None
    return chosen.precision if chosen is not None else setting


def read_chosen(run: Run) -> Chosen | None:
    """What was chosen for a run; `None` if nothing was.

    Raises:
        RunError: the file with this record is damaged.
    """
    try:
        found = Chosen(**json_text.loads(read_whole(run.precision_file)))
        _check(found)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        mend = "remove it, and it is measured again, or set train.precision"
        raise RunError(f"{run.precision_file} is damaged ({error}): {mend}.") from error
    return found


def write_chosen(run: Run, chosen: Chosen) -> None:
    """Keep what was chosen.

    Raises:
        RunError: it cannot be written.
    """
    try:
        run.write(run.precision_file, json.dumps(asdict(chosen), indent=2).encode())
    except OSError as error:
        raise RunError(f"{run.precision_file} cannot be written: {error.strerror or error}.") from error


def _check(found: Chosen) -> None:
    texts: list[Any] = [found.stage, found.device, found.why]
    known = found.precision in ("32-true", "bf16-mixed") and found.memory_format in ("contiguous", "channels_last")
    counts = all(type(each) is int and each >= 0 for each in (found.step, found.images, found.planned))
    if not (known and counts and all(isinstance(each, str) for each in texts) and isinstance(found.seconds, dict)):
        raise ValueError("it is no record of a choice")
    if not all(isinstance(each, (int, float)) and 0 < each < math.inf for each in found.seconds.values()):
        raise ValueError("its times are not positive numbers")
