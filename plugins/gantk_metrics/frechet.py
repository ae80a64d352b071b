"""The Fréchet distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric
from gantk.measures import Comparison, frechet_estimate, frechet_floor

__all__ = ["FrechetDistance"]


class FrechetDistance(Metric):
    """The Fréchet distance between the features of real and generated images; lower is better.

    It is called FID only with the features of Inception. `frechet` is the usual distance, which is too high for few
    images. `frechet_infinity` removes this bias by extrapolation to infinitely many images on both sides; it can be
    slightly negative. `floor` is the `frechet` that perfect samples would have: the distance between two halves of the
    real images, scaled to the numbers of images compared. The last two need twice as many images as features.
    """

    paper = "Heusel et al. 2017, arXiv 1706.08500; Chong & Forsyth 2020, arXiv 1911.07023"
    better: ClassVar = {"frechet": "lower", "frechet_infinity": "lower"}

    def least(self, comparison: Comparison) -> int:
        """One more than the number of features; with fewer, the covariance matrices are singular."""
        return comparison.real.extractor.dim + 1

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        real, generated = comparison.real.features, comparison.generated.features
        found = frechet_estimate(real, generated)
        floor = frechet_floor(real, len(generated))
        figures = {"frechet": found.distance, "frechet_infinity": found.infinity, "floor": floor}
        return {name: value for name, value in figures.items() if value is not None}
