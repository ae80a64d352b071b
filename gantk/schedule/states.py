"""State that parts keep from step to step: a few numbers for each part in each game."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gantk.errors import FitError

__all__ = ["States", "checked_numbers"]


class States(nn.Module):
    """Named numbers, one set per key, in buffers, so that they are saved in checkpoints and move with the model."""

    def declare(self, key: str, values: Mapping[str, float]) -> None:
        """Declare the numbers of a key with their initial values, unless they exist.

        Raises:
            FitError: a name or a value is invalid.
        """
        if not isinstance(values, Mapping):
            raise FitError(f"{key}: state is a {type(values).__name__}; expected name → initial value.")
        for name, value in values.items():
            if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z_][\w-]*", name)):
                raise FitError(f"{key}: state has a number called {name!r}; expected letters, digits, _ and -.")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise FitError(f"{key}: state['{name}'] is {value!r:.60}; expected a finite number.")
        for name, value in values.items():
            if _buffer(key, name) not in self._buffers:
                self.register_buffer(_buffer(key, name), torch.tensor(float(value)))

    def of(self, key: str) -> dict[str, Tensor]:
        """A copy of a key's numbers, each a scalar tensor."""
        start = _buffer(key, "")
        held = {name[len(start) :]: value for name, value in self._buffers.items() if name.startswith(start)}
        return {name: value.clone() for name, value in held.items() if value is not None}

    @torch.no_grad()
    def update(self, key: str, values: Mapping[str, Tensor]) -> None:
        """Replace numbers of a key.

        Raises:
            KeyError: the number is not declared.
        """
        for name, value in values.items():
            self.get_buffer(_buffer(key, name)).copy_(value)


def checked_numbers(found: Any, declared: Mapping[str, float], method: str) -> dict[str, Tensor]:
    """Check what a method `after_<role>` returned: new values of numbers that its part declares.

    Raises:
        FitError: it is not that.
    """
    if not isinstance(found, Mapping):
        raise FitError(f"{method} returned a {type(found).__name__}; expected name → new value.")
    numbers: dict[str, Tensor] = {}
    for name, value in found.items():
        if name not in declared:
            raise FitError(f"{method} returned {name!r}, which `state` does not declare: it has {', '.join(declared)}.")
        plain = isinstance(value, (int, float, Tensor))
        number = torch.as_tensor(value) if plain else None
        if number is None or number.dim() or number.is_complex():
            kind = f"a tensor {list(number.shape)} of {number.dtype}" if number is not None else f"{value!r:.60}"
            raise FitError(f"{method} returned {kind} for '{name}'; expected a scalar tensor.")
        numbers[name] = number
    return numbers


def _buffer(key: str, name: str) -> str:
    # Names of buffers cannot contain dots.
    return f"{key}|{name}".replace(".", "/")
