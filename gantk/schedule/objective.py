"""Objectives: what a player minimizes, as named terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gantk import toml
from gantk.errors import FitError
from gantk.parts import Condition, Discriminator, Generator, Loss, Part
from gantk.schedule.play import Play
from gantk.schedule.states import checked_numbers
from gantk.schedule.step import Step

__all__ = ["Binding", "Joined", "Objective", "SharedPlay", "Terms", "written"]


class Objective(Protocol):
    """A player's objective: the named scalar terms whose sum the player minimizes."""

    def __call__(self, step: Step) -> Mapping[str, Tensor]: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class Binding:
    """Which of a step's values and modules a loss sees under which name.

    The usual game judges images: `Binding()`. A game on embeddings is
    `Binding(generator="generator.embedding", real="embedding", fake="fake_embedding")`.
    """

    discriminator: str = "discriminator"
    generator: str = "generator"
    autoencoder: str = "generator"
    real: str = "real"
    fake: str = "fake"
    noise: str = "noise"
    labels: str = "labels"
    condition: str = "condition"

    def key(self, name: str) -> str:
        """The key of the numbers that a loss or part keeps in this game."""
        unusual = [f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{name}({','.join(unusual)})" if unusual else name


def joining(parts: Mapping[str, Part], binding: Binding) -> dict[str, Part]:
    """Those of a model's parts that join a game, in the order in which they transform images: its condition is last.

    So augmentations are applied to images, and not to the channels of the condition.

    Raises:
        FitError: a part's `joins` returns no boolean.
    """
    says = {path: part.joins(binding) for path, part in parts.items()}
    for path, answer in says.items():
        if not isinstance(answer, bool):
            raise FitError(f"{type(parts[path]).__name__}.joins returned {answer!r:.60}; expected True or False.")
    joined = {path: part for path, part in parts.items() if says[path]}
    return dict(sorted(joined.items(), key=lambda item: isinstance(item[1], Condition)))


class SharedPlay(Play):
    """A play whose values come from a step, so that the players of one batch share them.

    Args:
        step: the step.
        binding: which game of the step this is.
    """

    def __init__(self, step: Step, binding: Binding) -> None:
        super().__init__()
        self._step = step
        self._binding = binding
        self._speaker = ""
        self._showing = False
        self._joining = joining(step.parts, binding)

    def speaking(self, name: str) -> SharedPlay:
        """The same play for the loss or part of this name, with its own `state`."""
        self._speaker = name
        return self

    def log(self, name: str, value: Tensor | float, weight: float = 1.0) -> Tensor:
        if self._showing:
            raise FitError(
                f"{self._speaker}: play.log in `transform`; only the methods named after roles log. Return the value "
                "from `measure`, or keep it in `state`."
            )
        return self._step.log(f"{self._speaker}/{name}", value, weight)

    def _value(self, name: str) -> Any:
        return self._step[getattr(self._binding, name)]

    @property
    def step(self) -> int:
        return self._step.number

    @property
    def done(self) -> float:
        return self._step.done

    def every(self, steps: int) -> bool:
        return self._step.every(steps)

    @property
    def state(self) -> Mapping[str, Tensor]:
        return self._step.states.of(self._binding.key(self._speaker))

    @property
    def discriminator(self) -> Discriminator:
        return self._step.use(self._binding.discriminator, Discriminator)

    @property
    def generator(self) -> nn.Module:
        return self._step.use(self._binding.generator)

    @property
    def autoencoder(self) -> Generator:
        return self._step.use(self._binding.autoencoder, Generator)

    def shown(self, images: Tensor) -> Tensor:
        speaker, showing, self._showing = self._speaker, self._showing, True
        try:
            for path, part in self._joining.items():
                images = part.transform(images, self.speaking(path))
        finally:
            self._speaker, self._showing = speaker, showing
        return images


class Terms:
    """The objective of a player in one role: the weighted terms of every loss that has a term for that role.

    The model's other parts that join this game and have a term for the role, such as a noise source whose parameters
    the generator's player moves, add their terms.

    Args:
        losses: the losses with their names.
        role: whose objective it is.
        binding: which values and modules they see.
    """

    def __init__(self, losses: Sequence[tuple[str, Loss]], role: str, binding: Binding | None = None) -> None:
        speaking = [(name, loss) for name, loss in losses if loss.speaks_to(role)]
        self.losses = list(zip(_distinct([name for name, _ in speaking]), (loss for _, loss in speaking), strict=True))
        self.role = role
        self.binding = binding or Binding()

    def speakers(self, parts: Mapping[str, Part]) -> dict[str, Part]:
        """Every loss of this objective, and every other part of the model that joins its game, by name."""
        return {**dict(self.losses), **joining(parts, self.binding)}

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        play = SharedPlay(step, self.binding)
        speakers = self.speakers(step.parts)
        terms: dict[str, Tensor] = {}
        for name, part in speakers.items():
            if part.speaks_to(self.role):
                term = getattr(part, self.role)(play.speaking(name))
                if term is not None and not isinstance(term, Tensor):
                    raise FitError(
                        f"{type(part).__name__}.{self.role} returned a {type(term).__name__}; a scalar tensor or None "
                        "is expected."
                    )
                if term is not None:
                    terms[name] = step.log(name, term, part.weight)
        if step.remembered is not None:
            step.remembered |= self._remembered(play, speakers)
        return terms

    @torch.no_grad()
    def _remembered(self, play: SharedPlay, speakers: Mapping[str, Part]) -> dict[str, dict[str, Tensor]]:
        found: dict[str, dict[str, Tensor]] = {}
        for name, part in speakers.items():
            if part.state and (after := getattr(part, f"after_{self.role}", None)):
                method = f"{type(part).__name__}.after_{self.role}"
                found[self.binding.key(name)] = checked_numbers(after(play.speaking(name)), part.state, method)
        return found

    def __str__(self) -> str:
        return " + ".join(_weighted(loss.weight, name) for name, loss in self.losses)


class Joined:
    """Several objectives as one, for a player that minimizes the sum of all their terms.

    Args:
        objectives: name → objective; a term is logged as `name/term`.
    """

    def __init__(self, objectives: Mapping[str, Objective]) -> None:
        self.objectives = dict(objectives)

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for name, objective in self.objectives.items():
            with step.under(name):
                terms |= {f"{name}/{term}": value for term, value in objective(step).items()}
        return terms

    def __str__(self) -> str:
        summands = {name: written(objective).split(" + ") for name, objective in self.objectives.items()}
        every = [each.rpartition("·")[2] for several in summands.values() for each in several]
        return " + ".join(
            # With names, as in the log, if two would be written alike.
            f"{weight}{sign}{name}/{term}" if every.count(term) > 1 else f"{weight}{sign}{term}"
            for name, several in summands.items()
            for weight, sign, term in (each.rpartition("·") for each in several)
        )


def written(objective: Objective) -> str:
    """An objective in messages: its `__str__`, or else its name."""
    if type(objective).__str__ is not object.__str__:
        return str(objective)
    return str(getattr(objective, "__name__", type(objective).__name__))


def _weighted(weight: float, name: str) -> str:
    return name if weight == 1 else f"{toml.number(weight)}·{name}"


def _distinct(names: Sequence[str]) -> list[str]:
    """Names made unique: the second `x` becomes `x-2`."""
    found: list[str] = []
    for name in names:
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name}-{number}"
        found.append(free)
    return found
