"""Scores that parts measure in training."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gantk.errors import FitError

__all__ = ["checked_figures"]


def checked_figures(found: Any, method: str) -> dict[str, float]:
    """The result of a part's `measure` as floats by name; NaN is allowed.

    Args:
        found: the result.
        method: name of the method in the error.

    Raises:
        FitError: the result is not a mapping of names to real numbers.
    """
    if not isinstance(found, Mapping):
        raise FitError(f"{method} returned a {type(found).__name__}; expected numbers by name.")
    for name, value in found.items():
        scalar = isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex()
        if not (isinstance(name, str) and (scalar or isinstance(value, numbers.Real))):
            said = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"{value!r:.60}"
            raise FitError(f"{method} returned {said} for {name!r}; expected a number.")
    return {name: float(value) for name, value in found.items()}
