"""The sliced Wasserstein distance between real and generated images, as features see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch.nn.functional import normalize

from gantk import Metric, require
from gantk.measures import Comparison


class SlicedWasserstein(Metric):
    """The sliced Wasserstein-1 distance between the features of real and of generated images; lower is better.

    It is the mean over random directions of the distance of the two sets as they lie along each.

    Args:
        directions: random directions, at least 1.
    """

    paper = "Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3"
    better: ClassVar = {"distance": "lower"}

    def __init__(self, *, directions: int = 64) -> None:
        super().__init__()
        require(directions >= 1, f"directions must be at least 1, not {directions}.")
        self.directions = directions

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        """`distance`, over as many images of each side as the smaller one has."""
        count = min(len(comparison.real), len(comparison.generated))
        directions = normalize(torch.randn(comparison.real.features.shape[1], self.directions), dim=0)
        sides = (comparison.real, comparison.generated)
        real, generated = ((side.features[:count] @ directions).sort(dim=0).values for side in sides)
        return {"distance": (real - generated).abs().mean().item()}
