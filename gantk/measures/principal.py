"""Principal components: in which directions points vary, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["PrincipalComponents", "principal_components"]


@dataclass(frozen=True)
class PrincipalComponents:
    """Where points lie along the directions in which they vary most."""

    projected: Tensor
    """`[N, k]` float64: the points along the first k components, around 0."""
    variances: Tensor
    """`[D]` float64, descending: the points' variance along each of all components."""

    @property
    def shares(self) -> Tensor:
        """`[D]`, descending: the share of all variance along each component; 0 where the points are all the same."""
        total = self.variances.sum()
        return self.variances / total if float(total) > 0 else self.variances

    def needed(self, share: float) -> int:
        """How many components hold this share of the variance."""
        return min(len(self.variances), int((self.shares.cumsum(0) < share).sum()) + 1)


def principal_components(points: Tensor, k: int = 2) -> PrincipalComponents:
    """The principal components of `[N, D]` points.

    Args:
        points: 2 at least.
        k: how many components to project on; where there are fewer dimensions, the rest is 0.

    Raises:
        UsageError: they are no such points.
    """
    if points.ndim != 2 or len(points) < 2 or not points.shape[1]:
        raise UsageError(f"points are [N, D], 2 at least, not {list(points.shape)}.")
    centered = points.double() - points.double().mean(0)
    variances, directions = torch.linalg.eigh(centered.T @ centered / (len(points) - 1))
    variances, directions = variances.flip(0).clamp_min(0), directions.flip(1)
    # Either sign is an eigenvector: the one whose largest entry is positive is the same on every machine.
    largest = directions.abs().argmax(0, keepdim=True)
    directions = directions * directions.gather(0, largest).sign()
    projected = torch.zeros(len(points), k, dtype=torch.float64)
    kept = min(k, points.shape[1])
    projected[:, :kept] = centered @ directions[:, :kept]
    return PrincipalComponents(projected, variances)
