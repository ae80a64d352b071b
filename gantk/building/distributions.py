"""Compare the moments of noise samples with those of the distribution that the noise declares."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gantk.nn import evaluating
from gantk.parts import NoiseSource

__all__ = ["disagreement", "drawn_from"]

DRAWN = 2048
ERRORS = 6.0
"""How many standard errors the mean and the variance of a coordinate may be off."""
SLACK = 0.02
"""How much further they may be off, relatively, for numbers that are rounded or only nearly so distributed."""
FOURTH = 0.25
"""How far fourth moments may be off, relatively."""


class Moments(NamedTuple):
    """Moments about 0 of random vectors."""

    second: float
    """Of each coordinate."""
    fourth: float
    """Of each coordinate."""
    length_fourth: float
    """The fourth moment of the Euclidean length."""


def _independent(second: float, fourth: float) -> Callable[[int], Moments]:
    return lambda dim: Moments(second, fourth, dim * fourth + dim * (dim - 1) * second**2)


MOMENTS: Mapping[str, Callable[[int], Moments]] = {
    "normal": _independent(1.0, 3.0),
    "uniform": _independent(1 / 3, 1 / 5),
    "sphere": lambda dim: Moments(1 / dim, 3 / (dim * (dim + 2)), 1.0),
}
"""By name, the moments of distributions with mean 0, as functions of the number of coordinates."""


@torch.no_grad()
def drawn_from(noise: NoiseSource, count: int = DRAWN) -> Tensor:
    """Samples `[count, dim]` of a noise source, from a fixed random seed."""
    with evaluating(noise):
        return noise.sample(count, torch.Generator().manual_seed(0)).double().cpu()


def disagreement(drawn: Tensor, distribution: str) -> str:
    """How samples `[n, dim]` differ from a distribution, as the end of a sentence; empty if they do not.

    Only moments are compared, so other distributions with the same moments pass too. So does every name that is not
    in `gantk.parts.DISTRIBUTIONS`.
    """
    if distribution not in MOMENTS:
        return ""
    count, dim = drawn.shape
    expected = MOMENTS[distribution](dim)
    error, squares = ERRORS / math.sqrt(count), drawn.square()
    spread = math.sqrt(expected.second)
    worst = drawn.mean(dim=0).abs().max().item()
    if worst > spread * (error + SLACK):
        return f"the mean of a coordinate is {worst:.2g} away from 0"
    far = (squares.mean(dim=0) / expected.second - 1).abs().max().item()
    relative = math.sqrt(max(expected.fourth / expected.second**2 - 1, 0.0))
    if far > error * relative + SLACK:
        return f"the variance of a coordinate is {far:.0%} away from {expected.second:.3g}"
    shapes = (
        ("fourth moment of its coordinates", squares.square().mean().item(), expected.fourth),
        ("fourth moment of its length", squares.sum(dim=1).square().mean().item(), expected.length_fourth),
    )
    for name, found, wanted in shapes:
        if abs(found / wanted - 1) > FOURTH:
            return f"the {name} is {found:.3g} instead of {wanted:.3g}"
    return ""
