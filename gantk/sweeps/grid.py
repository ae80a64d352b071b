"""A grid of builds: arguments with alternatives such as `1e-4|2e-4`, and random seeds."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gantk.errors import UsageError
from gantk.kinds import KINDS

__all__ = ["Axis", "Cell", "Grid", "alternatives", "cell_of", "piece_of", "seeds_of"]

LONGEST = 120
"""Maximum length of a run's name; longer names are shortened with a hash."""

MOST = 10_000
"""Maximum number of runs in a sweep; more are likely a mistake."""

PIECES = re.compile(r"""'[^']*'|"[^"]*"|[^'"|]+|['"]|(\|)""")


@dataclass(frozen=True)
class Cell:
    """One build of a grid."""

    name: str
    """The name of its run: the values that vary."""
    recipe: str | None
    parts: Mapping[str, str | tuple[str, ...]]
    settings: tuple[str, ...]
    seed: int
    compared: bool = False
    """Whether all builds beside it compute in float32, but for `train.precision` in the settings: runs that are
    compared must not differ in what each found to be the fastest when it began."""


@dataclass(frozen=True)
class Axis:
    """One argument with its alternatives."""

    slot: str
    """`recipe`, the kind of a part, or `set`."""
    label: str
    """Its label in the names of runs."""
    values: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """All combinations of the alternatives of a build's arguments.

    Args:
        recipe: a recipe's name.
        parts: kind → part, or several parts if a model has a list of them.
        settings: settings such as `stages.game.length=5 epochs`.
        seeds: random seeds.
    """

    recipe: str | None
    parts: Mapping[str, str | Sequence[str]]
    settings: Sequence[str]
    seeds: Sequence[int]

    def axes(self) -> list[Axis]:
        """All arguments in order, including those with one alternative."""
        found = [] if self.recipe is None else [Axis("recipe", "", alternatives(self.recipe))]
        for kind, given in self.parts.items():
            label = KINDS[kind].flag.removeprefix("--")
            found += [Axis(kind, label, alternatives(each)) for each in ([given] if isinstance(given, str) else given)]
        paths = [text.partition("=")[0].strip() for text in self.settings]
        shorts = [path.rpartition(".")[2] for path in paths]
        for text, path, short in zip(self.settings, paths, shorts, strict=True):
            values = (
                tuple(f"{path}={value}" for value in alternatives(text.partition("=")[2])) if "=" in text else (text,)
            )
            found.append(Axis("set", short if shorts.count(short) == 1 else path, values))
        return found

    def fixed(self) -> dict[str, Any]:
        """What cannot change after a sweep has begun: fixed arguments, and the names of those that vary."""
        one = [f"{axis.slot} {axis.values[0]}" for axis in self.axes() if len(axis.values) == 1]
        return {"fixed": one, "varied": [f"{axis.slot} {axis.label}" for axis in self.axes() if len(axis.values) > 1]}

    def cells(self) -> list[Cell]:
        """All builds; the seeds of a combination are consecutive.

        Raises:
            UsageError: there are none or too many, or two have the same name.
        """
        axes = self.axes()
        count = len(self.seeds)
        for axis in axes:
            count *= len(axis.values)
        if not 1 <= count <= MOST:
            raise UsageError(f"this sweep has {count:,} runs; expected 1 to {MOST:,}.")
        cells = []
        for chosen in itertools.product(*(axis.values for axis in axes)):
            varied = [piece_of(axis, value) for axis, value in zip(axes, chosen, strict=True) if len(axis.values) > 1]
            cells += [cell_of(axes, chosen, seed, varied, f"seed={seed}") for seed in self.seeds]
        names = [cell.name for cell in cells]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"two runs of this sweep would have the name {name}: remove one of them.")
        return cells


def cell_of(axes: Sequence[Axis], chosen: Sequence[str], seed: int, varied: Sequence[str], last: str = "") -> Cell:
    """The build with one value for each argument.

    Args:
        axes: the arguments.
        chosen: the value of each argument; an empty value omits it.
        seed: random seed.
        varied: pieces of the run's name.
        last: last piece of the name, which is never shortened.
    """
    given: dict[str, list[str]] = {}
    for axis, value in zip(axes, chosen, strict=True):
        if value:
            given.setdefault(axis.slot, []).append(value)
    recipe, settings = given.pop("recipe", [None])[0], tuple(given.pop("set", ()))
    parts = {k: tuple(v) if KINDS[k].holds == "list" else v[0] for k, v in given.items()}
    return Cell(_name(varied, last), recipe, parts, settings, seed, compared=True)


def alternatives(text: str) -> tuple[str, ...]:
    """Split `1e-4|2e-4` at `|` outside quotes; alternatives may be empty."""
    found = [""]
    for piece in PIECES.finditer(text):
        if piece.group(1):
            found.append("")
        else:
            found[-1] += piece.group()
    return tuple(dict.fromkeys(each.strip() for each in found))


SEED_DIGITS, MOST_SEEDS = 18, 100_000


def seeds_of(text: str) -> list[int]:
    """Read seeds: `0:3` or `3` for 0, 1, 2, or a list such as `0,4,7`.

    Raises:
        UsageError: the text has another form.
    """
    if any(len(digits) > SEED_DIGITS for digits in re.findall(r"\d+", text)):
        raise UsageError(f"--seeds {text[:40]}: a seed of more than {SEED_DIGITS} digits; expected 0:3 or 0,4,7.")
    if match := re.fullmatch(r"(?:(\d+):)?(\d+)", text.strip()):
        numbers = range(int(match.group(1) or 0), int(match.group(2)))
        if len(numbers) > MOST_SEEDS:
            raise UsageError(f"--seeds {text} is {len(numbers):,} seeds; expected at most {MOST_SEEDS:,}, as in 0:3.")
        found = list(numbers)
    elif re.fullmatch(r"\d+(,\s*\d+)+,?|\d+,", text.strip()):
        found = list(dict.fromkeys(int(each) for each in text.split(",") if each.strip()))
    else:
        raise UsageError(f"--seeds {text}: expected 0:3 for the seeds 0, 1 and 2, or a list such as 0,4,7.")
    if not found:
        raise UsageError(f"--seeds {text} contains no seeds; 0:3 means the seeds 0, 1 and 2.")
    return found


def piece_of(axis: Axis, value: str) -> str:
    """The piece of a run's name for the value of an argument."""
    if axis.slot == "set":
        return f"{axis.label}={value.partition('=')[2]}"
    return f"{axis.label}={value or 'none'}" if axis.label else value


def _name(pieces: Sequence[str], last: str) -> str:
    """A name that is valid for folders on all systems."""
    front = ",".join(re.sub(r"[^\w.+=-]+", "-", piece).strip("-.") for piece in pieces)
    if len(front) > LONGEST:
        front = f"{front[:LONGEST]}-{hashlib.blake2b(front.encode(), digest_size=4).hexdigest()}"
    return ",".join(filter(None, (front, last)))
