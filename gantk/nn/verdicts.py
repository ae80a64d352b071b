"""What losses read of a discriminator's verdict."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.errors import FitError, OptionError
from gantk.parts import Verdict

__all__ = ["hidden_map", "logits", "wide"]


def wide(x: Tensor) -> Tensor:
    """At least float32: under autocast, half precision is too coarse for sums, logarithms and squares."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def logits(verdict: Verdict) -> Tensor:
    """The logits `[N]` of a verdict, in float32 at least.

    Raises:
        FitError: it has none.
    """
    if verdict.logits is None:
        raise FitError("this discriminator's verdict has no logits; use one that provides 'logits'.")
    return wide(verdict.logits)


def hidden_map(verdict: Verdict, layer: int) -> Tensor:
    """One hidden map `[N, …]` of a verdict.

    Args:
        verdict: a verdict.
        layer: 0 is the first map, -1 the deepest.

    Raises:
        FitError: it has no hidden maps.
        OptionError: it has no such map.
    """
    maps = verdict.hidden
    if not maps:
        raise FitError("this discriminator's verdict has no hidden maps; use one that provides 'hidden'.")
    if not -len(maps) <= layer < len(maps):
        raise OptionError(
            f"layer={layer} is out of range: this discriminator has {len(maps)} hidden map{'s' * (len(maps) != 1)}, "
            f"so expected {-len(maps)} … {len(maps) - 1}."
        )
    return maps[layer]
