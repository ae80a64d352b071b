"""The intrinsic dimension of generated images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantk import Metric, require
from gantk.measures import Comparison, intrinsic_dimension

__all__ = ["IntrinsicDimension"]


class IntrinsicDimension(Metric):
    """The intrinsic dimension of the features of generated images, and that of as many real images.

    If `dimension` is far below `dimension_real`, generated images vary in fewer ways than the data; if it is far above,
    the generator adds noise. It is the maximum likelihood estimate of all images together; duplicates count once.

    Args:
        k: number of nearest neighbors for the estimate, at least 3.
    """

    paper = "Levina & Bickel 2004; MacKay & Ghahramani 2005; as in Zhong et al. 2018, arXiv 1807.03923, Table I"

    def __init__(self, *, k: int = 20) -> None:
        super().__init__()
        require(k >= 3, f"k must be at least 3, not {k}.")
        self.k = k

    def least(self, comparison: Comparison) -> int:
        """More than k images, so that each has k neighbors."""
        return self.k + 1

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        sides = {"dimension": comparison.generated.features, "dimension_real": comparison.real.features}
        count = min(map(len, sides.values()))
        return {name: self._dimension(features, count) for name, features in sides.items()}

    def _dimension(self, features: Tensor, count: int) -> float:
        some = torch.randperm(len(features))[:count].sort().values
        return intrinsic_dimension(features[some], self.k, duplicates="drop").harmonic.item()
