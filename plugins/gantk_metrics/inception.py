"""The scores with Inception's features, as published: FID, KID and Inception Score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from gantk.measures import Comparison
from gantk_metrics.classification import ScoreOfClasses
from gantk_metrics.frechet import FrechetDistance
from gantk_metrics.kernel_distance import KernelMetric

__all__ = ["FID", "KID", "InceptionScore"]


def _inception(weights: Path | None, download: bool) -> str:
    """The extractor with its options, as on the command line."""
    if weights is not None:
        quote = '"' if "'" in str(weights) else "'"
        return f"inception:weights={quote}{weights}{quote}"
    return "inception:download=true" if download else "inception"


class FID(FrechetDistance):
    """The Fréchet Inception Distance, `fid`; lower is better. See `frechet` for `fid_infinity` and `floor`.

    Args:
        weights: the file with the weights, as for the extractor `inception`.
        download: download the weights.
    """

    costly = True
    better: ClassVar = {"fid": "lower", "fid_infinity": "lower"}

    def __init__(self, *, weights: Path | None = None, download: bool = False) -> None:
        super().__init__()
        self.extractor = _inception(weights, download)

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        return {name.replace("frechet", "fid"): value for name, value in super().compute(comparison).items()}


class KID(KernelMetric):
    """The Kernel Inception Distance, `kid`, with its spread over subsets, `kid_spread`; lower is better.

    Args:
        weights: the file with the weights, as for the extractor `inception`.
        download: download the weights.
        subsets: number of random subsets, at least 1.
        size: number of images from each side in a subset, at least 2; limited to half of the smaller side.
    """

    costly = True
    better: ClassVar = {"kid": "lower"}

    def __init__(
        self, *, weights: Path | None = None, download: bool = False, subsets: int = 100, size: int = 1000
    ) -> None:
        super().__init__(subsets=subsets, size=size)
        self.extractor = _inception(weights, download)

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        return {name.replace("kernel_distance", "kid"): value for name, value in super().compute(comparison).items()}


class InceptionScore(ScoreOfClasses):
    """The Inception Score, `inception_score`, with its spread over parts; higher is better, up to 1,008.

    Args:
        weights: the file with the weights, as for the extractor `inception`.
        download: download the weights.
        splits: number of random parts of the images, at least 1.
    """

    costly = True
    better: ClassVar = {"inception_score": "higher"}

    def __init__(self, *, weights: Path | None = None, download: bool = False, splits: int = 10) -> None:
        super().__init__(splits=splits)
        self.extractor = _inception(weights, download)

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found = super().compute(comparison)
        return {name.replace("class_score", "inception_score"): value for name, value in found.items()}
