"""Whether what players compute is finite, without waiting for a device at every turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import Diverged

__all__ = ["Divergence", "Finite"]

Name = tuple[str, str]
"""A player and what it computed."""


@dataclass(frozen=True)
class Divergence:
    """The first value of a step that is NaN or infinite."""

    ago: int
    """Steps since then; 0 for the last one."""
    what: str
    """Player, name and value."""


class Finite:
    """Looks at the terms, gradient norms and states of turns.

    On a CPU, a value that is NaN or infinite is an error at once. Any other device would have to be waited for at every
    turn, so it keeps the values of the first step with such a value until `found` reads them.

    Args:
        device: the device of the values.
        at_once: whether values are read at once.
    """

    def __init__(self, device: torch.device, at_once: bool) -> None:
        self._device, self._at_once = device, at_once
        self._step: list[tuple[Name, Tensor]] = []
        self._kept: dict[tuple[Name, ...], tuple[Tensor, Tensor]] = {}
        self._count = torch.zeros((), dtype=torch.int64, device=device)

    def begin(self) -> None:
        """Begin a step."""
        self._step = []

    def see(self, player: str, values: Mapping[str, Tensor]) -> None:
        """See scalars that a player has computed, by their names.

        Raises:
            Diverged: one is NaN or infinite, if values are read at once.
        """
        flat = {name: value.detach().reshape(()).float() for name, value in values.items()}
        if not self._at_once:
            self._step += [((player, name), value) for name, value in flat.items()]
        elif flat and not torch.isfinite(torch.stack([*flat.values()])).all():
            name, value = next((name, value) for name, value in flat.items() if not torch.isfinite(value))
            raise Diverged(_said((player, name), value.item()))

    def end(self) -> None:
        """End a step: its values are kept on the device if they are the first with one that is not finite."""
        if self._at_once:
            return
        names, values = tuple(name for name, _ in self._step), torch.stack([value for _, value in self._step])
        if names not in self._kept:
            self._kept[names] = torch.zeros_like(values), torch.full_like(self._count, -1)
        kept, at = self._kept[names]
        fresh = (at < 0) & ~values.isfinite().all()
        kept.copy_(torch.where(fresh, values, kept))
        at.copy_(torch.where(fresh, self._count, at))
        self._count += 1

    def tensors(self) -> list[Tensor]:
        """What it keeps on the device."""
        return [self._count, *(each for pair in self._kept.values() for each in pair)]

    def found(self) -> Divergence | None:
        """The first divergence, if there was one in a step that has ended; waits for the device."""
        if not self._kept:
            return None
        count, *at = torch.stack([self._count, *(at for _, at in self._kept.values())]).tolist()
        steps = {names: step for names, step in zip(self._kept, at, strict=True) if step >= 0}
        if not steps:
            return None
        names = min(steps, key=steps.__getitem__)
        values = self._kept[names][0].tolist()
        bad = next((name, value) for name, value in zip(names, values, strict=True) if not abs(value) < torch.inf)
        return Divergence(count - 1 - steps[names], _said(*bad))


def _said(name: Name, value: float) -> str:
    return f"player '{name[0]}': {name[1]} = {value}"
