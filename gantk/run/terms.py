"""What the names in a log stand for: the terms of each player, their weights and their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LoggedTerm", "terms_of"]

OF_THE_PLAYER = ("objective", "gradient_norm")
"""What is logged of a player beside its terms."""


@dataclass
class LoggedTerm:
    """One term of a player's objective in a line of the log."""

    player: str
    value: float
    """Without its weight."""
    weight: float = 1.0
    parts: dict[str, float] = field(default_factory=dict)
    """What the loss logs of the term's summands, without their weights within the term."""


def terms_of(values: Mapping[str, float]) -> dict[str, LoggedTerm]:
    """The terms among a line's values, by the names that they are logged by, as `generator/hidden`.

    In runs of versions that logged no weights, a term's value contains its weight.
    """
    found: dict[str, LoggedTerm] = {}
    for name, value in values.items():
        player, _, term = name.partition("/")
        if player == "measure" or term in OF_THE_PLAYER or term.startswith("state/"):
            continue
        owner = next((known for known in found if name.startswith(f"{known}/")), None)
        if owner is None:
            found[name] = LoggedTerm(player, value)
            continue
        part = name.removeprefix(f"{owner}/")
        if part == "weight":
            found[owner].weight = value
        elif not part.endswith("/weight"):
            found[owner].parts[part] = value
    return found
