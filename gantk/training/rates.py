"""Scheduled learning rates and weights of a player: always base · rate(done)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantk.schedule import Player
from gantk.schedule.optimizers import hold_rates
from gantk.schedule.rates import parse_rate

__all__ = ["Rates"]


class Rates:
    """The learning rates and the weights of terms of one player, as its schedules want them.

    Args:
        player: the player.
        optimizer: its optimizer.
        device: where they are held in tensors, which recorded steps read; `None` for numbers.
    """

    def __init__(self, player: Player, optimizer: torch.optim.Optimizer, device: torch.device | None = None) -> None:
        self._optimizer = optimizer
        # Loading an optimizer's state replaces its groups, so keep the initial learning rates.
        self._bases = [float(group["lr"]) for group in optimizer.param_groups]
        self._lr = parse_rate(player.lr_schedule, "lr_schedule")
        self._scheduled = player.lr_schedule.partition(":")[0].strip() != "constant" or bool(player.weight_schedule)
        self._weights = {term: parse_rate(text, "weight_schedule") for term, text in player.weight_schedule.items()}
        self._factors: dict[str, Tensor | float] = dict.fromkeys(self._weights, 1.0)
        if device is not None:
            hold_rates(optimizer, device)
            self._factors = {term: torch.ones((), device=device) for term in self._weights}

    @property
    def terms(self) -> set[str]:
        """The terms whose weights follow a schedule."""
        return {*self._weights}

    def set(self, done: float) -> None:
        """Set learning rates and weights to those at a finished fraction of the stage."""
        for group, base in zip(self._optimizer.param_groups, self._bases, strict=True):
            group["lr"] = _set(group["lr"], base * self._lr(done))
        factors = self.weights(done)
        self._factors = {term: _set(factor, factors[term]) for term, factor in self._factors.items()}

    def weights(self, done: float) -> dict[str, float]:
        """The factors of the terms that follow a schedule."""
        return {name: weight(done) for name, weight in self._weights.items()}

    def weighted(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The terms with the weights that are set."""
        return {name: term * self._factors[name] if name in self._factors else term for name, term in terms.items()}

    @property
    def changes_numbers(self) -> bool:
        """Whether a schedule changes what is held in numbers."""
        return self._scheduled and bool(self.numbers())

    def numbers(self) -> list[float]:
        """What is held in numbers, not in tensors."""
        held = [*(group["lr"] for group in self._optimizer.param_groups), *self._factors.values()]
        return [each for each in held if not isinstance(each, Tensor)]


def _set(held: Tensor | float, value: float) -> Tensor | float:
    return held.fill_(value) if isinstance(held, Tensor) else value
