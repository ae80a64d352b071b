"""Objectives: what a player minimises, as named terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from gantk import toml
from gantk.parts import Discriminator, Generator, Loss
from gantk.schedule.play import Play
from gantk.schedule.step import Step

__all__ = ["Binding", "Joined", "Objective", "Terms"]


class Objective(Protocol):
    """A player's objective: the named scalar terms whose sum the player minimises."""

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


class _SharedPlay(Play):
    """A play whose values come from a step, so that the players of one batch share them."""

    def __init__(self, step: Step, binding: Binding) -> None:
        super().__init__()
        self._step = step
        self._binding = binding

    def _value(self, name: str) -> Tensor:
        return self._step[getattr(self._binding, name)]

    @property
    def discriminator(self) -> Discriminator:
        return self._step.use(self._binding.discriminator, Discriminator)

    @property
    def generator(self) -> nn.Module:
        return self._step.use(self._binding.generator)

    @property
    def autoencoder(self) -> Generator:
        return self._step.use(self._binding.autoencoder, Generator)


class Terms:
    """The objective of a player in one role: the weighted terms of every loss that speaks to that role."""

    def __init__(self, losses: Sequence[tuple[str, Loss]], role: str, binding: Binding | None = None) -> None:
        self.losses = [(name, loss) for name, loss in losses if loss.speaks_to(role)]
        self.role = role
        self.binding = binding or Binding()

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        play = _SharedPlay(step, self.binding)
        terms: dict[str, Tensor] = {}
        for name, loss in self.losses:
            term = getattr(loss, self.role)(play)
            if term is not None:
                terms[name] = loss.weight * term
        return terms

    def __str__(self) -> str:
        return " + ".join(
            name if loss.weight == 1 else f"{toml.number(loss.weight)}·{name}" for name, loss in self.losses
        )


class Joined:
    """Several objectives as one, for a player that moves what each of them speaks of: their terms, side by side.

    Args:
        objectives: name → objective; a term is logged as `name/term`.
    """

    def __init__(self, objectives: Mapping[str, Objective]) -> None:
        self.objectives = dict(objectives)

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {
            f"{name}/{term}": value
            for name, objective in self.objectives.items()
            for term, value in objective(step).items()
        }

    def __str__(self) -> str:
        return " + ".join(str(objective) for objective in self.objectives.values())
