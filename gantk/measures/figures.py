"""Figures that parts measure in training."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gantk.errors import FitError

__all__ = ["checked_figures"]


def checked_figures(found: Any, method: str) -> dict[str, float]:
    """What a part's `measure` returned, as floats by name; NaN is a figure too.

    Args:
        found: what it returned.
        method: how the error calls the method.

    Raises:
        FitError: it is something else than real numbers by name.
    """
    if not isinstance(found, Mapping):
        raise FitError(f"{method} returned a {type(found).__name__}; figures by name are expected.")
    for name, value in found.items():
        scalar = isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex()
        if not (isinstance(name, str) and (scalar or isinstance(value, numbers.Real))):
            said = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"{value!r:.60}"
            raise FitError(f"{method} returned {said} for {name!r}; a number by its name is expected.")
    return {name: float(value) for name, value in found.items()}
