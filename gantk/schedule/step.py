"""A step: one batch's shared values, each computed once, on first use.

Two rules make sharing correct for any set of players:

* a value is forgotten when a module that it was computed with is moved;
* a player gets a value with gradients only if it moves a module that the value was computed with; any other player
  gets it detached. So one forward pass of the generator serves the discriminator's turn and then the generator's.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from gantk.errors import FitError, nearest
from gantk.schedule.states import States

if TYPE_CHECKING:
    from gantk.parts import Part

__all__ = ["Asked", "Batch", "Logged", "Step", "Value", "checked_figure", "overlap"]

Value = Callable[["Step"], Any]
"""Computes one shared value from a step: a tensor, or a tuple, list, dictionary or dataclass of values.

It reads other values by `step["name"]` and modules by `step.use("path")`.
"""

Logged = tuple[Tensor, float]
"""A logged value, detached, and its weight."""

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Batch:
    """Real images `[N, C, H, W]` in [-1, 1] and, if the data set has classes, their labels `[N]`."""

    images: Tensor
    labels: Tensor | None = None


def overlap(one: Iterable[str], other: Iterable[str]) -> frozenset[str]:
    """The module paths of `one` that are, contain, or lie within a path of `other`."""
    others = list(other)
    return frozenset(a for a in one if any(a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.") for b in others))


@dataclass(frozen=True)
class _Entry:
    value: Any
    uses: frozenset[str]
    """The modules that it was computed with."""
    carries: frozenset[str]
    """Those of these modules that its gradients reach."""


@dataclass
class Asked:
    """What the values of a step asked about its place in training: a step that is replayed has another one."""

    places: set[str] = field(default_factory=set)
    """`step` and `done`, if they were read."""
    intervals: set[int] = field(default_factory=set)
    """The numbers of steps that `every` was asked with."""


class _Recording:
    """The modules that the computation of one value has used so far."""

    def __init__(self) -> None:
        self.uses: set[str] = set()
        self.carries: set[str] = set()


class Step:
    """One batch and the values computed from it.

    Args:
        modules: the model; `use` finds its parts by dotted path.
        batch: the real images; `step["real"]` and `step["labels"]` read them.
        values: how every other value is computed.
        parts: path → part, for all parts that may join a game.
        states: the numbers that parts keep.
        number: number of finished steps of this stage.
        done: finished fraction of this stage, in [0, 1).
    """

    def __init__(
        self,
        modules: nn.Module,
        batch: Batch,
        values: Mapping[str, Value],
        *,
        parts: Mapping[str, Part] | None = None,
        states: States | None = None,
        number: int = 0,
        done: float = 0.0,
    ) -> None:
        self.batch = batch
        self.parts = parts or {}
        self.states = states or States()
        self._number, self._done = number, done
        self.asked = Asked()
        self.remembered: dict[str, dict[str, Tensor]] | None = None
        self.logged: dict[str, Logged] = {}
        self._under = ""
        self._modules = modules
        self._values = {"real": _real, "labels": _labels, **values}
        self._entries: dict[str, _Entry] = {}
        self._moving: frozenset[str] = frozenset()
        self._live: frozenset[str] = frozenset()
        self._recordings: list[_Recording] = []

    @property
    def size(self) -> int:
        """Number of images in the batch."""
        return len(self.batch.images)

    @property
    def at(self) -> tuple[int, float]:
        """`number` and `done`, for training itself: what reads them here is no part of what is recorded."""
        return self._number, self._done

    @property
    def number(self) -> int:
        """Number of finished steps of this stage."""
        self.asked.places.add("step")
        return self._number

    @property
    def done(self) -> float:
        """Finished fraction of this stage, in [0, 1)."""
        self.asked.places.add("done")
        return self._done

    def every(self, steps: int) -> bool:
        """Whether what happens every so many steps happens in this one: in the first step of a stage, and so on."""
        self.asked.intervals.add(steps)
        return self._number % steps == 0

    def split(self, pieces: int, whole: Iterable[str] = (), moved: Iterable[str] = ()) -> list[Step]:
        """Steps over consecutive parts of this batch, of almost equal sizes, or this step itself if there is one.

        Args:
            pieces: their number; at most the number of images.
            whole: names of values with a row for each image that are computed once, for the whole batch, and without
                gradients, unless they are computed with a module that is moved.
            moved: dotted paths of the modules that are moved.
        """
        count, paths = min(pieces, self.size), list(moved)
        if count == 1:
            return [self]
        ends = [self.size * k // count for k in range(count + 1)]
        return [self._part(slice(*rows), whole, paths) for rows in itertools.pairwise(ends)]

    def _part(self, rows: slice, whole: Iterable[str], moved: Sequence[str]) -> Step:
        labels = None if self.batch.labels is None else self.batch.labels[rows]
        values = {name: self._rows_of(name, rows, moved) for name in whole if name in self._values}
        batch, known = Batch(self.batch.images[rows], labels), {**self._values, **values}
        number, done = self.at
        part = Step(self._modules, batch, known, parts=self.parts, states=self.states, number=number, done=done)
        part.asked = self.asked
        return part

    def _rows_of(self, name: str, rows: slice, moved: Sequence[str]) -> Value:
        def value(part: Step) -> Any:
            with torch.no_grad():
                found = self[name]
            if overlap(self._entries[name].uses, moved):
                return self._values[name](part)
            return found[rows]

        return value

    def begin(self, moves: Iterable[str], later: Iterable[str] = (), *, remember: bool = False) -> None:
        """Start the turn of a player that moves these modules, before players that move the `later` ones.

        Args:
            moves: dotted paths of the modules.
            later: those of the players that follow on the same batch.
            remember: whether parts compute their new states, which are stored in `remembered`: key → name → value.
        """
        self.remembered = {} if remember else None
        self.logged = {}
        self._moving = frozenset(moves)
        self._live = self._moving | frozenset(later)

    def log(self, name: str, value: Tensor | float, weight: float = 1.0) -> Tensor:
        """Log a term of an objective, without its weight, and the weight beside it.

        Args:
            name: the term's; `term/part` for one of its summands.
            value: a scalar.
            weight: the factor with which it counts.

        Returns:
            weight · value, with gradients.

        Raises:
            FitError: the value is no scalar.
        """
        scalar = checked_figure(name, value)
        self.logged[self._under + name] = (scalar.detach(), weight)
        return scalar if weight == 1 else weight * scalar

    @contextmanager
    def under(self, name: str) -> Iterator[None]:
        """Log everything as `name/…` within this context."""
        before, self._under = self._under, f"{self._under}{name}/"
        try:
            yield
        finally:
            self._under = before

    def end(self) -> None:
        """End the turn: its modules have moved, so what was computed with them is forgotten."""
        self.forget(self._moving)

    def forget(self, moved: Iterable[str]) -> None:
        """Forget values that were computed with modules that have moved since."""
        paths = list(moved)
        self._entries = {n: e for n, e in self._entries.items() if not overlap(e.uses, paths)}

    def used(self, moved: Iterable[str] = ()) -> frozenset[str]:
        """The modules that the step's current values were computed with.

        Args:
            moved: if given, only of values that were computed with one of these modules too.
        """
        beside = list(moved)
        entries = (e for e in self._entries.values() if not beside or overlap(e.uses, beside))
        return frozenset().union(*(entry.uses for entry in entries))

    def use(self, path: str, kind: type[M] = nn.Module) -> M:  # type: ignore[assignment]
        """The module at a dotted path of the model; it is recorded as used by the value that is being computed."""
        if self._recordings:
            self._recordings[-1].uses.add(path)
            if overlap([path], self._live):
                self._recordings[-1].carries.add(path)
        module = self._modules.get_submodule(path)
        if not isinstance(module, kind):
            raise FitError(f"'{path}' is a {type(module).__name__}; expected a {kind.__name__}.")
        return module

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise FitError(f"a step has no value '{name}'.{nearest(name, self._values)}")
        entry = self._entries.get(name)
        if entry is None or not self._serves(entry):
            entry = self._compute(name)
            self._entries[name] = entry
        wanted = overlap(entry.uses, self._moving)
        if self._recordings:
            self._recordings[-1].uses |= entry.uses
            self._recordings[-1].carries |= wanted
        try:
            return entry.value if wanted else _detached(entry.value)
        except TypeError as error:
            raise FitError(f"value '{name}' of a step is {error}; expected tensors, alone or in containers.") from None

    def _serves(self, entry: _Entry) -> bool:
        """Whether the current player can use the tensor, as it is or detached."""
        wanted = overlap(entry.uses, self._moving)
        return wanted <= entry.carries

    def _compute(self, name: str) -> _Entry:
        recording = _Recording()
        self._recordings.append(recording)
        try:
            value = self._values[name](self)
        finally:
            self._recordings.pop()
        return _Entry(value, frozenset(recording.uses), frozenset(recording.carries))


def _detached(value: Any) -> Any:
    """A value with its tensors detached."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {name: _detached(each) for name, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_detached, value))
    if isinstance(value, (tuple, list)):
        return type(value)(map(_detached, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _detached(getattr(value, field.name)) for field in fields(value)})
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a {type(value).__name__}")


def checked_figure(name: str, value: Tensor | float) -> Tensor:
    """A value to be logged, as a scalar tensor.

    Raises:
        FitError: the value is not a scalar, or its name is invalid.
    """
    above, _, last = name.rpartition("/")
    if above and (last == "weight" or not re.fullmatch(r"[A-Za-z_][\w-]*", last)):
        raise FitError(f"log('{last}', …): expected a name of letters, digits, _ and -, other than 'weight'.")
    scalar = torch.as_tensor(value) if isinstance(value, (int, float, Tensor)) else None
    if scalar is None or scalar.numel() != 1 or scalar.is_complex():
        kind = f"a tensor {list(scalar.shape)}" if scalar is not None else f"a {type(value).__name__}"
        if scalar is not None and scalar.is_complex():
            kind += f" of {str(scalar.dtype).removeprefix('torch.')}"
        what = f"log('{last}', …): the value" if above else f"term '{name}'"
        raise FitError(f"{what} is {kind}; expected a scalar tensor.")
    return scalar


def _real(step: Step) -> Tensor:
    return step.batch.images


def _labels(step: Step) -> Tensor:
    if step.batch.labels is None:
        raise FitError(
            "this step reads labels, but this data set has none: choose data with labels, or another loss or recipe."
        )
    return step.batch.labels
