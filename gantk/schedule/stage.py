"""Stages and players: when parameters move, by which optimizer, towards which objective."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gantk import toml
from gantk.errors import OptionError
from gantk.schedule.objective import Objective
from gantk.schedule.step import Value

if TYPE_CHECKING:
    from gantk.model import Model

__all__ = ["Length", "Player", "Stage"]

LONGEST = 1e15
"""Epochs, steps or images of a stage, at most."""


@dataclass(frozen=True)
class Length:
    """How long a stage is: `25 epochs`, `2000 steps` or `100000 images`."""

    amount: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Length:
        """Read `25 epochs`; raises `OptionError` for anything else."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e\+?\d+)?)\s*(epoch|step|image)s?\s*", str(text), re.IGNORECASE)
        if not found or not 0 < float(found.group(1)) <= LONGEST:
            raise OptionError(
                f"expected a stage length such as '25 epochs', '2000 steps' or '100000 images', not {text!r:.60}."
            )
        return cls(float(found.group(1)), found.group(2).lower() + "s")

    def steps(self, images: int, batch_size: int) -> int:
        """Length in steps for a data set of `images`, at least one."""
        exact = {
            "epochs": self.amount * images / batch_size,
            "images": self.amount / batch_size,
            "steps": self.amount,
        }[self.unit]
        return max(1, math.ceil(exact))

    def __str__(self) -> str:
        return f"{toml.number(self.amount)} {self.unit if self.amount != 1 else self.unit[:-1]}"


@dataclass
class Player:
    """Some parameters, their optimizer, and the objective that moves them.

    Args:
        name: name in logs, settings and errors.
        moves: dotted paths of the modules whose parameters it moves; `noise?` stands for the modules that the noise
            source declares as `learned`, if any.
        objective: the named terms whose sum it minimizes.
        role: the role whose loss settings apply to it; by default its name.
        optimizer: name and options of a `torch.optim` optimizer.
        repeats: turns per step; every turn except the last has its own batch (WGAN's n_critic).
        clip_weights: parameters are clamped to ±this after each turn; 0 for never (WGAN). Of a discriminator, only
            those that its logits depend on: other heads, as for codes, are left alone.
        clip_gradients: gradients are scaled to at most this L2 norm; 0 for never.
        lr_schedule: how the learning rate follows the stage, as `linear:start=0.5`; see `gantk.schedule.rates`.
        weight_schedule: term → how its weight follows the stage.
        brought_by: the path of the part that brought it, as `refiner`; empty for a recipe's own. Its turns leave the
            model as it would be without that part: batches of its own come from another order, and of parts that it
            does not move, the buffers stay as they were.
    """

    name: str
    moves: tuple[str, ...]
    objective: Objective
    role: str = ""
    optimizer: dict[str, Any] = field(default_factory=lambda: {"optimizer": "adam", "lr": 2e-4, "betas": [0.5, 0.999]})
    repeats: int = 1
    clip_weights: float = 0.0
    clip_gradients: float = 0.0
    lr_schedule: str = "constant"
    weight_schedule: dict[str, str] = field(default_factory=dict)
    brought_by: str = ""

    def __post_init__(self) -> None:
        self.role = self.role or self.name

    def settings(self) -> dict[str, Any]:
        """The settings of this player, which `model.toml` stores and users can change."""
        own = {
            "repeats": self.repeats,
            "clip_weights": self.clip_weights,
            "clip_gradients": self.clip_gradients,
            "lr_schedule": self.lr_schedule,
            "weight_schedule": self.weight_schedule,
        }
        return {**self.optimizer, **own}


@dataclass
class Stage:
    """A named phase of training.

    Args:
        name: name in logs, settings and errors.
        players: in the order of their turns within a step.
        length: how long it lasts, as `25 epochs`, `2000 steps` or `100000 images`.
        batch_size: images per batch, over all devices.
        adversarial: whether it is a game, to which refiners and other parts may add players.
        values: shared values in addition to, or in place of, the model's `noise`, `fake` and `refined`.
        enter: called once, before the first step. It may change only parameters and buffers, so that a resumed run
            continues with the changes.
        each: called before every step with the finished fraction of the stage, in [0, 1).
        preview: draws images `[N, C, H, W]` for the sample grid; by default, the model's samples.
    """

    name: str
    players: list[Player]
    length: str = "25 epochs"
    batch_size: int = 128
    adversarial: bool = False
    values: Mapping[str, Value] = field(default_factory=dict)
    enter: Callable[[Model], None] | None = None
    each: Callable[[Model, float], None] | None = None
    preview: Callable[[Model, int, torch.Generator], Tensor] | None = None

    def moves(self) -> tuple[str, ...]:
        """Paths of every module that some player of this stage moves."""
        return tuple(dict.fromkeys(path for player in self.players for path in player.moves))

    def following(self, player: Player) -> Sequence[Player]:
        """The players that take their turn after this one, on the same batch."""
        return self.players[self.players.index(player) + 1 :]

    def settings(self) -> dict[str, Any]:
        """The settings of this stage, which `model.toml` stores and users can change."""
        return {
            "length": self.length,
            "batch_size": self.batch_size,
            **{player.name: player.settings() for player in self.players},
        }

    def batches(self) -> int:
        """Batches of real images that one step reads: one, and one more per repeated turn of the recipe's players."""
        return 1 + sum(player.repeats - 1 for player in self.players if not player.brought_by)

    def further_batches(self) -> int:
        """Additional batches that it reads for repeated turns of players that parts add."""
        return sum(player.repeats - 1 for player in self.players if player.brought_by)

    def steps(self, images: int) -> int:
        """Length in steps on a data set of `images`; an epoch reads every image once, repeated turns included."""
        return Length.parse(self.length).steps(images, self.batch_size * self.batches())
