"""What a player's turn finds on each piece of a batch, and what it is of the whole batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

__all__ = ["Played", "mean_numbers", "mean_values"]


@dataclass(frozen=True)
class Played:
    """A player's objective on one piece of a batch, whose gradient is computed."""

    share: float
    """The piece's fraction of the batch."""
    values: dict[str, Tensor | float]
    """What is logged: figures as tensors, and weights as numbers."""
    remembered: Mapping[str, Mapping[str, Tensor]]
    """The new state of parts: key → name → number."""
    clipped: list[nn.Parameter]
    """The parameters whose weights are clipped."""


def mean_values(pieces: Sequence[Played]) -> dict[str, Tensor | float]:
    """The values to log of a batch: each figure's mean over the pieces that have it, by their shares."""
    if len(pieces) == 1:
        return dict(pieces[0].values)
    found: dict[str, Tensor | float] = {}
    for name in dict.fromkeys(name for piece in pieces for name in piece.values):
        having = [(piece.values[name], piece.share) for piece in pieces if name in piece.values]
        figures = [(value, share) for value, share in having if isinstance(value, Tensor)]
        found[name] = _mean(figures) if figures else having[0][0]
    return found


def mean_numbers(pieces: Sequence[Played]) -> dict[str, dict[str, Tensor]]:
    """The new state of parts after a batch: the mean of what it would be after each piece, by their shares."""
    return {
        key: {name: _mean([(piece.remembered[key][name], piece.share) for piece in pieces]) for name in numbers}
        for key, numbers in pieces[0].remembered.items()
    }


def _mean(values: Iterable[tuple[Tensor, float]]) -> Tensor:
    listed = list(values)
    if len(listed) == 1:
        return listed[0][0]
    whole = sum(share for _, share in listed)
    return sum((value * (share / whole) for value, share in listed[1:]), listed[0][0] * (listed[0][1] / whole))
