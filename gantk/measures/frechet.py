"""The Fréchet distance between Gaussians fitted to two sets of features (Heusel et al. 2017).

It is called FID only for the features of a certain Inception network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["Frechet", "Moments", "frechet_distance", "frechet_estimate", "frechet_floor"]

BLOCK = 1024
"""Number of rows read at a time."""

PARTS = 4
"""Number of parts of each side for the extrapolation, which uses a half, three quarters and all of them."""


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of points, in float64."""

    count: int
    """Number of points."""
    mean: Tensor
    """`[D]`"""
    scatter: Tensor
    """`[D, D]`: the sum of (x − mean)(x − mean)ᵀ."""

    @classmethod
    def of(cls, points: Tensor) -> Moments:
        """The moments of `[N, D]` points, which are read in blocks."""
        return cls.of_parts(points, 1)[0]

    @classmethod
    def of_parts(cls, points: Tensor, parts: int, rng: torch.Generator | None = None) -> list[Moments]:
        """The moments of random parts of `[N, D]` points, whose sizes differ by at most one; points are read once.

        Raises:
            UsageError: there are fewer points than parts, or the points are not vectors.
        """
        if points.ndim != 2 or len(points) < parts:
            raise UsageError(f"points are [N, D] with N at least {parts}, not {list(points.shape)}.")
        part_of = torch.arange(len(points)) % parts
        if parts > 1:
            part_of = part_of[torch.randperm(len(points), generator=rng)]
        found: list[Moments | None] = [None] * parts
        for rows, which in zip(torch.split(points, BLOCK), torch.split(part_of, BLOCK), strict=True):
            for part in range(parts):
                chosen = rows[which == part].double()
                if len(chosen):
                    mean = chosen.mean(0)
                    block = cls(len(chosen), mean, (chosen - mean).T @ (chosen - mean))
                    before = found[part]
                    found[part] = block if before is None else before + block
        return [moments for moments in found if moments is not None]

    def __add__(self, other: Moments) -> Moments:
        """The moments of the union of both sets (Chan, Golub & LeVeque 1983)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        between = torch.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), self.scatter + other.scatter + between)

    @cached_property
    def covariance(self) -> Tensor:
        """`[D, D]`: the unbiased covariance."""
        covariance: Tensor = self.scatter / max(self.count - 1, 1)
        return covariance

    @cached_property
    def root(self) -> Tensor:
        """`[D, D]`: a matrix R with R Rᵀ = covariance."""
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex(self.covariance)
        if failed:  # features that never change, or fewer points than features: some eigenvalues are 0
            values, vectors = torch.linalg.eigh(self.covariance)
            factor = vectors * values.clamp_min(0).sqrt()
        return factor


def frechet_distance(one: Moments, other: Moments) -> float:
    """|m₁ − m₂|² + tr(S₁ + S₂ − 2 (S₁ S₂)^½), in float64; 0 if both are the same.

    The trace of (S₁ S₂)^½ is the sum of the singular values of R₁ᵀ R₂ for any roots R Rᵀ = S. This needs no square root
    of an asymmetric matrix, and small eigenvalues lose no digits.
    """
    if one.mean.shape != other.mean.shape:
        raise UsageError(
            f"features have {len(one.mean)} and {len(other.mean)} dimensions; they must have the same number."
        )
    apart = (one.mean - other.mean).square().sum()
    cross = torch.linalg.svdvals(one.root.T @ other.root).sum()
    return float((apart + one.covariance.trace() + other.covariance.trace() - 2 * cross).clamp_min(0))


@dataclass(frozen=True)
class Frechet:
    """The Fréchet distance of two sets of features."""

    distance: float
    """The distance of all features, as usually reported. Its bias is about C / n for n samples."""
    infinity: float | None
    """The distance extrapolated to infinitely many samples on both sides; `None` if there are too few samples."""


def frechet_estimate(real: Tensor, generated: Tensor, rng: torch.Generator | None = None) -> Frechet:
    """The Fréchet distance of real and generated features, with and without its bias.

    The bias is proportional to 1 / n (Chong & Forsyth 2020), with n for each side. Therefore random halves, all sets of
    three quarters, and all samples of both sides are compared, and a straight line in 1 / share is fitted to the
    distances: its value at 0 estimates the distance of infinitely many real and generated samples.

    Args:
        real: features `[N, D]`, read in blocks.
        generated: features `[M, D]`, read in blocks.
        rng: random number generator that draws the parts; by default torch's global one.

    Raises:
        UsageError: one side does not have more samples than dimensions.
    """
    least = real.shape[1] + 1
    for name, side in (("real", real), ("generated", generated)):
        if len(side) < least:
            raise UsageError(
                f"the Fréchet distance of {real.shape[1]} features needs at least {least} {name} samples, but there "
                f"are {len(side)}."
            )
    if min(len(real), len(generated)) // 2 < least or min(len(real), len(generated)) < PARTS:
        return Frechet(frechet_distance(Moments.of(real), Moments.of(generated)), None)
    sides = [Moments.of_parts(side, PARTS, rng) for side in (real, generated)]
    shares, distances = [], []
    for chosen in _chosen():
        one, other = (_joined([parts[index] for index in chosen]) for parts in sides)
        shares.append(len(chosen) / PARTS)
        distances.append(frechet_distance(one, other))
    return Frechet(distances[-1], _intercept([1 / share for share in shares], distances))


def frechet_floor(real: Tensor, count: int, rng: torch.Generator | None = None) -> float | None:
    """The Fréchet distance that `count` perfect samples, such as further real images, would have.

    Two halves of the real features are compared. Their distance is only bias, which is proportional to 1 / n of each
    side, so it is scaled to the numbers of real and of generated samples.

    Args:
        real: features `[N, D]`, read in blocks.
        count: number of generated samples.
        rng: random number generator that draws the halves; by default torch's global one.

    Returns:
        the distance, or `None` if a half does not have more samples than dimensions.
    """
    if len(real) // 2 < real.shape[1] + 1:
        return None
    one, other = Moments.of_parts(real, 2, rng)
    bias = (1 / len(real) + 1 / count) / (1 / one.count + 1 / other.count)
    return frechet_distance(one, other) * bias


def _chosen() -> Iterator[Sequence[int]]:
    """The sets of parts to compare: both halves, all sets of three quarters, and all parts."""
    everything = range(PARTS)
    yield from (everything[: PARTS // 2], everything[PARTS // 2 :])
    yield from ([part for part in everything if part != left_out] for left_out in everything)
    yield everything


def _joined(parts: Sequence[Moments]) -> Moments:
    first, *others = parts
    for moments in others:
        first = first + moments
    return first


def _intercept(x: Sequence[float], y: Sequence[float]) -> float:
    """The value at x = 0 of the least-squares line through the points."""
    columns = torch.tensor(x, dtype=torch.float64)
    values = torch.tensor(y, dtype=torch.float64)
    away = columns - columns.mean()
    return float(values.mean() - columns.mean() * (away @ values) / (away @ away))
