"""Principal components."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gantk.errors import UsageError

__all__ = ["PrincipalComponents", "principal_components"]


@dataclass(frozen=True)
class PrincipalComponents:
    """Projections of points on their principal components, and the variances."""

    projected: Tensor
    """`[N, k]` float64: the centered points projected on the first k components."""
    variances: Tensor
    """`[D]` float64, descending: the variance along each component."""

    @property
    def shares(self) -> Tensor:
        """`[D]`, descending: the share of the total variance along each component; 0 if all points are equal."""
        total = self.variances.sum()
        return self.variances / total if float(total) > 0 else self.variances

    def needed(self, share: float) -> int:
        """The number of components that explain this share of the variance."""
        return min(len(self.variances), int((self.shares.cumsum(0) < share).sum()) + 1)


def principal_components(points: Tensor, k: int = 2) -> PrincipalComponents:
    """The principal components of `[N, D]` points.

    Args:
        points: at least 2 points.
        k: number of components to project on; with fewer dimensions, the remaining columns are 0.

    Raises:
        UsageError: points has another shape.
    """
    if points.ndim != 2 or len(points) < 2 or not points.shape[1]:
        raise UsageError(f"points are [N, D] with N at least 2, not {list(points.shape)}.")
    centered = points.double() - points.double().mean(0)
    variances, directions = torch.linalg.eigh(centered.T @ centered / (len(points) - 1))
    variances, directions = variances.flip(0).clamp_min(0), directions.flip(1)
    # The sign of an eigenvector is arbitrary; a positive largest entry makes it the same on every machine.
    largest = directions.abs().argmax(0, keepdim=True)
    directions = directions * directions.gather(0, largest).sign()
    projected = torch.zeros(len(points), k, dtype=torch.float64)
    kept = min(k, points.shape[1])
    projected[:, :kept] = centered @ directions[:, :kept]
    return PrincipalComponents(projected, variances)
