"""Schedules of learning rates and weights: factors that follow how much of a stage is done."""

from __future__ import annotations

import math
from collections.abc import Callable

from gantk.errors import OptionError, nearest
from gantk.options import check_options, parse_part
from gantk.parts import require

__all__ = ["SCHEDULES", "Rate", "parse_rate"]

Rate = Callable[[float], float]
"""Finished fraction of the stage, in [0, 1) → factor."""


def constant() -> Rate:
    """Always 1."""
    return lambda done: 1.0


def linear(*, start: float = 0.0, end: float = 0.0) -> Rate:
    """1 until `start` of the stage is done, then linearly to `end`."""
    require(0 <= start < 1, f"start must be in [0, 1), not {start}.")
    require(end >= 0, f"end must be 0 or more, not {end}.")
    return lambda done: 1 + (end - 1) * max(0.0, done - start) / (1 - start)


def cosine(*, warmup: float = 0.0, end: float = 0.0) -> Rate:
    """Linearly up to 1 over `warmup` of the stage, then half a cosine down to `end` (Loshchilov & Hutter 2017)."""
    require(0 <= warmup < 1, f"warmup must be in [0, 1), not {warmup}.")
    require(end >= 0, f"end must be 0 or more, not {end}.")

    def rate(done: float) -> float:
        if done < warmup:
            return done / warmup
        return end + (1 - end) * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2

    return rate


def step(*, at: list[float] | None = None, factor: float = 0.1) -> Rate:
    """Multiplied by `factor` at each of the points `at` of the stage, by default at half and at three quarters."""
    points = [0.5, 0.75] if at is None else at
    require(all(0 < point < 1 for point in points), f"at holds points in (0, 1), not {points}.")
    require(factor >= 0, f"factor must be 0 or more, not {factor}.")
    return lambda done: factor ** sum(done >= point for point in points)


SCHEDULES: dict[str, Callable[..., Rate]] = {"constant": constant, "linear": linear, "cosine": cosine, "step": step}


def parse_rate(text: str, what: str) -> Rate:
    """Parse a schedule such as `linear:start=0.5`; `what` names the setting in errors.

    Raises:
        OptionError: there is no such schedule, or an option is unknown or out of its range.
    """
    written = str(text)
    if written.partition(":")[0].strip() not in SCHEDULES:
        raise OptionError(f"{what}: there is no schedule '{written}'.{nearest(written, SCHEDULES)}")
    name, options = parse_part(written)
    chosen = check_options(SCHEDULES[name], options, f"{what}: {name}")
    try:
        return SCHEDULES[name](**chosen)
    except OptionError as error:
        raise OptionError(f"{what}: {name}: {error}") from None
