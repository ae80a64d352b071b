"""Whether noise is distributed as it says, by the moments of samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gantk.nn import evaluating
from gantk.parts import DISTRIBUTIONS, NoiseSource

__all__ = ["disagreement", "drawn_from"]

DRAWN = 2048
ERRORS = 6.0
"""How many standard errors a moment may be off."""
SLACK = 0.02
"""How far off moments of rounded, or nearly normal, numbers may be besides."""


class Moments(NamedTuple):
    """Of vectors of a length: moments of every coordinate, and the fourth of the vector's length."""

    second: float
    fourth: float
    length_fourth: float


def _independent(second: float, fourth: float) -> Callable[[int], Moments]:
    return lambda dim: Moments(second, fourth, dim * fourth + dim * (dim - 1) * second**2)


MOMENTS: Mapping[str, Callable[[int], Moments]] = {
    "normal": _independent(1.0, 3.0),
    "uniform": _independent(1 / 3, 1 / 5),
    "sphere": lambda dim: Moments(1 / dim, 3 / (dim * (dim + 2)), 1.0),
}
"""Of centered distributions that are known by name."""


@torch.no_grad()
def drawn_from(noise: NoiseSource, count: int = DRAWN) -> Tensor:
    """`[count, dim]` vectors of a noise source, drawn from an `rng` of their own."""
    with evaluating(noise):
        return noise.sample(count, torch.Generator().manual_seed(0)).double().cpu()


def disagreement(drawn: Tensor, distribution: str) -> str:
    """What of `[n, dim]` samples speaks against a distribution known by name, in words; empty where nothing does.

    Moments are compared, so that some other distributions pass as well.
    """
    if distribution not in MOMENTS:
        return ""
    count, dim = drawn.shape
    expected = MOMENTS[distribution](dim)
    error, squares = ERRORS / math.sqrt(count), drawn.square()
    spread = math.sqrt(expected.second)
    worst = drawn.mean(dim=0).abs().max().item()
    if worst > spread * (error + SLACK):
        return f"the mean of a coordinate is off by {worst:.2g}; that of {_said(distribution)} noise is 0"
    far = (squares.mean(dim=0) / expected.second - 1).abs().max().item()
    relative = math.sqrt(max(expected.fourth / expected.second**2 - 1, 0.0))
    if far > error * relative + SLACK:
        return (
            f"the variance of a coordinate is off by {far:.0%}; that of {_said(distribution)} noise is "
            f"{expected.second:.3g}"
        )
    shapes = (
        ("fourth moment of its coordinates", squares.square().mean().item(), expected.fourth),
        ("fourth moment of its length", squares.sum(dim=1).square().mean().item(), expected.length_fourth),
    )
    for name, found, wanted in shapes:
        if abs(found / wanted - 1) > 0.25:
            return f"the {name} is {found:.3g}; that of {_said(distribution)} noise is {wanted:.3g}"
    return ""


def _said(distribution: str) -> str:
    return DISTRIBUTIONS[distribution]
