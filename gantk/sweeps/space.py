"""Search spaces: grids of builds whose values may also be ranges such as `1e-5..1e-3`."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from gantk.errors import UsageError
from gantk.sweeps.grid import Axis, Cell, Grid, cell_of, piece_of

__all__ = ["Chooser", "Point", "Range", "Space"]

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"(?<![^\s=,\[('\"])({NUMBER})\.\.({NUMBER})(?![^\s,\])'\"])")
"""A range in the position of a value."""

OPTION = re.compile(r"([A-Za-z_][\w-]*)\s*=\s*['\"\[(]?$")
"""The option that a value belongs to."""

DECADE = 10
"""A positive range whose ends differ by at least this factor is searched log-uniformly."""


class Chooser(Protocol):
    """Chooses a value for each parameter, as an `optuna.Trial` does."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> Any: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both of them included."""

    low: float
    high: float
    whole: bool
    """Integers alone."""

    @property
    def log(self) -> bool:
        """Whether the range is log-uniform."""
        return self.low > 0 and self.high / self.low >= DECADE

    def choose(self, name: str, chooser: Chooser) -> str:
        """A number as text, with four digits, or enough to distinguish a thousand values of the range."""
        if self.whole:
            return str(chooser.suggest_int(name, int(self.low), int(self.high), log=self.log))
        value = chooser.suggest_float(name, self.low, self.high, log=self.log)
        if self.log:
            rounded = float(f"{value:.4g}")
        else:
            rounded = round(value, 3 + max(0, math.ceil(-math.log10(self.high - self.low))))
        return f"{min(max(rounded, self.low), self.high):.12g}"

    def __str__(self) -> str:
        kind = "integers, " if self.whole else ""
        return f"{self.low:g} to {self.high:g}, {kind}{'log-uniform' if self.log else 'uniform'}"


def _range(low: str, high: str) -> Range:
    whole = all(re.fullmatch(r"[+-]?\d+", each) for each in (low, high))
    found = Range(float(low), float(high), whole)
    if not found.low < found.high < math.inf:
        raise UsageError(f"{low}..{high} is not a range: expected two numbers in ascending order, such as 1e-5..1e-3.")
    return found


@dataclass(frozen=True)
class Dimension:
    """An argument and the names of its parameters."""

    axis: Axis
    name: str
    """The parameter that selects an alternative, if there are several."""
    holes: Sequence[Sequence[tuple[str, Range]]]
    """For each alternative, its ranges with the names of their parameters."""

    @property
    def varies(self) -> bool:
        return len(self.axis.values) > 1 or any(self.holes)

    @property
    def choices(self) -> tuple[str, ...]:
        """The names of the alternatives."""
        return tuple(_value(self.axis, value) for value in self.axis.values)

    def choose(self, chooser: Chooser) -> str:
        """The value of the argument: an alternative with numbers in place of its ranges."""
        values, at = self.axis.values, 0
        if len(values) > 1:
            at = self.choices.index(chooser.suggest_categorical(self.name, self.choices))
        numbers = iter([range_.choose(name, chooser) for name, range_ in self.holes[at]])
        return RANGE.sub(lambda _: next(numbers), values[at])


@dataclass(frozen=True)
class Point:
    """A build in a search space."""

    cell: Cell
    values: Mapping[str, str]
    """The chosen values by argument."""


class _AtRandom:
    def __init__(self, rng: random.Random) -> None:
        self._rng, self.chosen = rng, dict[str, Any]()

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        self.chosen[name] = value = self._rng.choice(choices)
        return value

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        self.chosen[name] = value = round(self._between(low, high, log)) if log else self._rng.randint(low, high)
        return value

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        self.chosen[name] = value = min(max(self._between(low, high, log), low), high)
        return value

    def _between(self, low: float, high: float, log: bool) -> float:
        return math.exp(self._rng.uniform(math.log(low), math.log(high))) if log else self._rng.uniform(low, high)


@dataclass(frozen=True)
class Space:
    """A search space.

    Args:
        grid: the arguments of a build, with one random seed; values may be alternatives and ranges.

    Raises:
        UsageError: nothing varies, or a range is invalid.
    """

    grid: Grid

    def __post_init__(self) -> None:
        if not any(dimension.varies for dimension in self.dimensions):
            raise UsageError(
                'there is nothing to search: give a range or alternatives, as --set "stages.*.*.lr=1e-5..1e-3", or '
                '--generator "dcgan:width=32..128".'
            )

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        """All arguments in order, including those that do not vary."""
        taken: set[str] = set()

        def unique(name: str) -> str:
            found = next(each for each in _numbered(name) if each not in taken)
            taken.add(found)
            return found

        return tuple(_dimension(axis, unique) for axis in self.grid.axes())

    @cached_property
    def ranges(self) -> dict[str, Range | tuple[str, ...]]:
        """Parameter → its range, or its alternatives."""
        found: dict[str, Range | tuple[str, ...]] = {}
        for each in self.dimensions:
            if len(each.axis.values) > 1:
                found[each.name] = each.choices
            found |= {name: range_ for holes in each.holes for name, range_ in holes}
        return found

    def choose(self, chooser: Chooser) -> Point:
        """The build with the values that a chooser returns."""
        axes = [each.axis for each in self.dimensions]
        chosen = [each.choose(chooser) for each in self.dimensions]
        varied = [(each, value) for each, value in zip(self.dimensions, chosen, strict=True) if each.varies]
        pieces = [piece_of(each.axis, value) for each, value in varied]
        values = {each.name: _value(each.axis, value) for each, value in varied}
        return Point(cell_of(axes, chosen, self.grid.seeds[0], pieces), values)

    def at_random(self, rng: random.Random) -> tuple[Point, dict[str, Any]]:
        """A build at random, and what was chosen for each parameter."""
        chooser = _AtRandom(rng)
        return self.choose(chooser), chooser.chosen

    def record(self) -> dict[str, list[str]]:
        """What a search cannot change once it has begun."""
        varied = [each for each in self.dimensions if each.varies]
        return {
            "fixed": [f"{each.axis.slot} {each.axis.values[0]}" for each in self.dimensions if not each.varies],
            "varied": [f"{each.axis.slot} {'|'.join(each.axis.values)}" for each in varied],
            "seed": [str(self.grid.seeds[0])],
        }


def _dimension(axis: Axis, unique: Callable[[str], str]) -> Dimension:
    label = axis.label or "recipe"
    name = unique(label) if len(axis.values) > 1 or axis.slot != "set" else label
    holes = []
    for value in axis.values:
        found = []
        for match in RANGE.finditer(value):
            option = OPTION.search(value[: match.start()])
            inside = [option[1]] if option and axis.slot != "set" else []
            head = re.findall(r"^[\w-]+", value) if len(axis.values) > 1 and axis.slot != "set" else []
            found.append((unique(".".join([label, *head, *inside])), _range(*match.groups())))
        holes.append(found)
    return Dimension(axis, name, holes)


def _numbered(name: str) -> list[str]:
    return [name, *(f"{name}-{number}" for number in range(2, 1000))]


def _value(axis: Axis, text: str) -> str:
    return (text.partition("=")[2] if axis.slot == "set" else text) or "none"
