"""The Fréchet distance between two sets of features, taken for Gaussians (Heusel et al. 2017).

It is called FID only of the features of one Inception network; of any other features it is a Fréchet distance.
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
"""Rows that are read at a time."""

PARTS = 4
"""Parts that each side is cut into for the extrapolation, which is made from a half, three quarters and all of it."""


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of some points, in float64."""

    count: int
    """How many points there are."""
    mean: Tensor
    """`[D]`"""
    scatter: Tensor
    """`[D, D]`: the sum of (x − mean)(x − mean)ᵀ."""

    @classmethod
    def of(cls, points: Tensor) -> Moments:
        """The moments of `[N, D]` points, which are read as a stream."""
        return cls.of_parts(points, 1)[0]

    @classmethod
    def of_parts(cls, points: Tensor, parts: int, rng: torch.Generator | None = None) -> list[Moments]:
        """The moments of random parts of `[N, D]` points, equally large but for one point, read as a stream once.

        Raises:
            UsageError: there are fewer points than parts, or points are no vectors.
        """
        if points.ndim != 2 or len(points) < parts:
            raise UsageError(f"points are [N, D], {parts} at least, not {list(points.shape)}.")
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
        """Those of both sets together (Chan, Golub & LeVeque 1983)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        between = torch.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), self.scatter + other.scatter + between)

    @cached_property
    def covariance(self) -> Tensor:
        """`[D, D]`, the unbiased one."""
        covariance: Tensor = self.scatter / max(self.count - 1, 1)
        return covariance

    @cached_property
    def root(self) -> Tensor:
        """`[D, D]`: some R with R Rᵀ = the covariance."""
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex(self.covariance)
        if failed:  # features that never change, or fewer points than features: some eigenvalues are 0
            values, vectors = torch.linalg.eigh(self.covariance)
            factor = vectors * values.clamp_min(0).sqrt()
        return factor


def frechet_distance(one: Moments, other: Moments) -> float:
    """|m₁ − m₂|² + tr(S₁ + S₂ − 2 (S₁ S₂)^½), in float64; 0 where both are the same.

    The trace of (S₁ S₂)^½ is the sum of the singular values of R₁ᵀ R₂ for any roots R Rᵀ = S, so that no square root of
    a matrix without symmetry is needed, and small eigenvalues lose no digits.
    """
    if one.mean.shape != other.mean.shape:
        raise UsageError(f"features have {len(one.mean)} and {len(other.mean)} dimensions; both must be the same.")
    apart = (one.mean - other.mean).square().sum()
    cross = torch.linalg.svdvals(one.root.T @ other.root).sum()
    return float((apart + one.covariance.trace() + other.covariance.trace() - 2 * cross).clamp_min(0))


@dataclass(frozen=True)
class Frechet:
    """The Fréchet distance of two sets of features."""

    distance: float
    """Of all features: what is usually reported. It is too great by about C / n with n samples."""
    infinity: float | None
    """Extrapolated to infinitely many samples of both sides; `None` where there are too few of them for that."""


def frechet_estimate(real: Tensor, generated: Tensor, rng: torch.Generator | None = None) -> Frechet:
    """The Fréchet distance of real and generated features, as it is and without its bias.

    The bias of few samples falls as 1 / n (Chong & Forsyth 2020), with each side's own n. So the same random half of
    both sides, the other half, each three quarters, and all of both are compared, and a straight line in 1 / share is
    fitted to the distances: its value at 0 is the distance of infinitely many samples, drawn from what generates them
    and from what the real ones were drawn from.

    Args:
        real: `[N, D]`, read as a stream.
        generated: `[M, D]`.
        rng: from which the halves are drawn; torch's global one unless given.

    Raises:
        UsageError: one side has no more samples than dimensions.
    """
    least = real.shape[1] + 1
    for name, side in (("real", real), ("generated", generated)):
        if len(side) < least:
            raise UsageError(f"a Fréchet distance of {real.shape[1]} features needs {least} {name} samples.")
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
    """The Fréchet distance that perfect samples would have: of other real images, as many as `count`.

    The two halves of the real features are compared. As their distance is all bias, it is scaled by what the theory
    says, 1 / n of each side, to the number of real and the number of generated samples.

    Args:
        real: `[N, D]`, read as a stream.
        count: how many samples are judged.
        rng: from which the halves are drawn; torch's global one unless given.

    Returns:
        The distance, or `None` where a half has no more samples than dimensions.
    """
    if len(real) // 2 < real.shape[1] + 1:
        return None
    one, other = Moments.of_parts(real, 2, rng)
    bias = (1 / len(real) + 1 / count) / (1 / one.count + 1 / other.count)
    return frechet_distance(one, other) * bias


def _chosen() -> Iterator[Sequence[int]]:
    """Which parts are compared together: both halves, each three quarters, and all."""
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
    """Where the straight line through the points, in least squares, meets x = 0."""
    columns = torch.tensor(x, dtype=torch.float64)
    values = torch.tensor(y, dtype=torch.float64)
    away = columns - columns.mean()
    return float(values.mean() - columns.mean() * (away @ values) / (away @ away))
