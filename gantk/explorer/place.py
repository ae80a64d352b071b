"""Where in noise a person is, as the page says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.measures.interpolation import PATHS
from gantk.model import Model
from gantk.plain import from_plain
from gantk.seeds import check_seed

__all__ = ["Place", "Point", "place_of"]

FAR = 1e4
"""Maximum absolute value of a slider."""


@dataclass(frozen=True)
class Point:
    """A random point of noise."""

    seed: int = 0
    condition: str = ""
    """Of a conditional model; empty for the one that is drawn."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Index of a number of the condition → its value."""


@dataclass(frozen=True)
class Place:
    """A point, or one on the way to another one, moved along directions."""

    start: Point = field(default_factory=Point)
    end: Point | None = None
    share: float = 0.0
    """How far it is on the way, 0 to 1."""
    path: str = "spherical"
    moves: tuple[float, ...] = ()
    """How far it is moved along each direction."""
    refine: bool = True

    def noise(self, model: Model, directions: Tensor, share: float | None = None) -> Tensor:
        """`[1, noise_dim]`.

        Raises:
            UsageError: something is out of range, or there is no such condition.
        """
        where = self.share if share is None else share
        if self.path not in PATHS or not 0 <= where <= 1 or len(self.moves) > len(directions):
            raise UsageError("the page asks for a place that is not there: reload it.")
        if not all(abs(each) <= FAR for each in self.moves):
            raise UsageError(f"moves are between -{FAR:g} and {FAR:g}.")
        found = _point(model, self.start)
        if self.end is not None:
            other, dim = _point(model, self.end), model.noise.dim
            t = torch.tensor([[where]])
            noise = PATHS[self.path](found[:, :dim], other[:, :dim], t)
            found = torch.cat([noise, torch.lerp(found[:, dim:], other[:, dim:], t)], dim=1)
        if self.moves:
            found[:, : model.noise.dim] += torch.tensor([self.moves]) @ directions[: len(self.moves)]
        return found


def _point(model: Model, point: Point) -> Tensor:
    noise = model.sample_noise(1, check_seed(point.seed), condition=point.condition or None).float().cpu()
    for index, value in point.numbers.items():
        if not index.isdecimal() or not int(index) < model.noise_dim - model.noise.dim or not abs(value) <= FAR:
            raise UsageError(f"the condition has no number {index}, or {value} is out of range.")
        noise[:, model.noise.dim + int(index)] = value
    return noise


def place_of(found: object) -> Place:
    """A place as the page sends it.

    Raises:
        UsageError: it is something else.
    """
    try:
        return from_plain(Place, found)
    except ValueError as error:
        raise UsageError(f"no place: {error}.") from error
