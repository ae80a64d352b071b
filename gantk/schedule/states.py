"""What parts remember from step to step: a few numbers for each part in each game."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["States"]


class States(nn.Module):
    """Named numbers, one set per key: buffers, so that a checkpoint holds them and they move with the model."""

    def declare(self, key: str, values: Mapping[str, float]) -> None:
        """Give a key its numbers with their initial values, where it has none yet."""
        for name, value in values.items():
            if _buffer(key, name) not in self._buffers:
                self.register_buffer(_buffer(key, name), torch.tensor(float(value)))

    def of(self, key: str) -> dict[str, Tensor]:
        """A copy of a key's numbers, each a scalar tensor; changing it changes nothing here."""
        start = _buffer(key, "")
        held = {name[len(start) :]: value for name, value in self._buffers.items() if name.startswith(start)}
        return {name: value.clone() for name, value in held.items() if value is not None}

    @torch.no_grad()
    def update(self, key: str, values: Mapping[str, Tensor]) -> None:
        """Replace numbers of a key.

        Raises:
            KeyError: it has declared no such number.
        """
        for name, value in values.items():
            self.get_buffer(_buffer(key, name)).copy_(value)


def _buffer(key: str, name: str) -> str:
    # A buffer's name holds no dot.
    return f"{key}|{name}".replace(".", "/")
