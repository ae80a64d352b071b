"""A grid of builds: the arguments of one build in which some values are alternatives, `1e-4|2e-4`, and seeds."""

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
"""Characters of a run's name; what is longer ends in a hash."""

MOST = 10_000
"""Runs of a sweep: more are a slip."""

PIECES = re.compile(r"""'[^']*'|"[^"]*"|[^'"|]+|['"]|(\|)""")


@dataclass(frozen=True)
class Cell:
    """One build of a grid."""

    name: str
    """The name of its run: what varies."""
    recipe: str | None
    parts: Mapping[str, str | tuple[str, ...]]
    settings: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Axis:
    """One argument with its alternatives."""

    slot: str
    """`recipe`, the kind of a part, or `set`."""
    label: str
    """What stands for it in a run's name."""
    values: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """All combinations of the alternatives of a build's arguments.

    Args:
        recipe: a recipe's name.
        parts: kind → part, or several where a model has a list of them.
        settings: as `stages.game.length=5 epochs`.
        seeds: random seeds.
    """

    recipe: str | None
    parts: Mapping[str, str | Sequence[str]]
    settings: Sequence[str]
    seeds: Sequence[int]

    def axes(self) -> list[Axis]:
        """All arguments in their order, those with one alternative as well."""
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
        """What a sweep cannot change once it has begun: what does not vary, and what it is that varies."""
        one = [f"{axis.slot} {axis.values[0]}" for axis in self.axes() if len(axis.values) == 1]
        return {"fixed": one, "varied": [f"{axis.slot} {axis.label}" for axis in self.axes() if len(axis.values) > 1]}

    def cells(self) -> list[Cell]:
        """Every build, the seeds of each combination beside each other.

        Raises:
            UsageError: there are none, or very many.
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
                raise UsageError(f"two runs of this sweep would be called {name}: leave one of them out.")
        return cells


def cell_of(axes: Sequence[Axis], chosen: Sequence[str], seed: int, varied: Sequence[str], last: str = "") -> Cell:
    """The build with one value for each argument.

    Args:
        axes: the arguments.
        chosen: the value of each; empty leaves it out.
        seed: random seed.
        varied: what its run is named after.
        last: what its name ends in, however long it is.
    """
    given: dict[str, list[str]] = {}
    for axis, value in zip(axes, chosen, strict=True):
        if value:
            given.setdefault(axis.slot, []).append(value)
    recipe, settings = given.pop("recipe", [None])[0], tuple(given.pop("set", ()))
    parts = {k: tuple(v) if KINDS[k].holds == "list" else v[0] for k, v in given.items()}
    return Cell(_name(varied, last), recipe, parts, settings, seed)


def alternatives(text: str) -> tuple[str, ...]:
    """`1e-4|2e-4` → both; a `|` within quotes divides nothing, and what stands before or after it may be empty."""
    found = [""]
    for piece in PIECES.finditer(text):
        if piece.group(1):
            found.append("")
        else:
            found[-1] += piece.group()
    return tuple(dict.fromkeys(each.strip() for each in found))


def seeds_of(text: str) -> list[int]:
    """`0:3` → 0, 1, 2; `3` is the same; `0,4,7` are those.

    Raises:
        UsageError: it is none of these.
    """
    if match := re.fullmatch(r"(?:(\d+):)?(\d+)", text.strip()):
        found = list(range(int(match.group(1) or 0), int(match.group(2))))
    elif re.fullmatch(r"\d+(,\s*\d+)+,?|\d+,", text.strip()):
        found = list(dict.fromkeys(int(each) for each in text.split(",") if each.strip()))
    else:
        raise UsageError(f"--seeds {text}: expected 0:3 for the seeds 0, 1 and 2, or a list as 0,4,7.")
    if not found:
        raise UsageError(f"--seeds {text} has no seed in it; 0:3 are the seeds 0, 1 and 2.")
    return found


def piece_of(axis: Axis, value: str) -> str:
    """What the value of an argument adds to a run's name."""
    if axis.slot == "set":
        return f"{axis.label}={value.partition('=')[2]}"
    return f"{axis.label}={value or 'none'}" if axis.label else value


def _name(pieces: Sequence[str], last: str) -> str:
    """A name for a folder on any system."""
    front = ",".join(re.sub(r"[^\w.+=-]+", "-", piece).strip("-.") for piece in pieces)
    if len(front) > LONGEST:
        front = f"{front[:LONGEST]}-{hashlib.blake2b(front.encode(), digest_size=4).hexdigest()}"
    return ",".join(filter(None, (front, last)))
