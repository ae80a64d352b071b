"""Metrics and extractors of tests: registered by the fixture `register`, and on the command line by `--code`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantk import Extractor, Metric
from gantk.measures import Comparison


class MeanGap(Metric):
    """How far the means of the features are apart.

    Args:
        scale: factor of the figure.
    """

    computed = 0

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        type(self).computed += 1
        gap = comparison.real.features.mean(0) - comparison.generated.features.mean(0)
        return {"gap": self.scale * float(gap.square().sum())}


class Brightness(Metric):
    """Mean brightness of both sides; reads images alone."""

    needs = frozenset[str]()

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        means = [
            float(torch.cat(list(side.images())).float().mean()) for side in (comparison.real, comparison.generated)
        ]
        return dict(zip(("real", "generated"), means, strict=True))


class Greedy(MeanGap):
    """Wants a million images."""

    def least(self, comparison: Comparison) -> int:
        return 1_000_000


class Agreement(Metric):
    """The share of generated images whose label is that of the real image at the same place."""

    needs = frozenset({"labels", "generated labels"})

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        real, generated = comparison.real.labels, comparison.generated.labels
        assert real is not None
        assert generated is not None
        count = min(len(real), len(generated))
        return {"share": float((real[:count] == generated[:count]).float().mean())}


class HeldOutSize(Metric):
    """How many images are held out."""

    needs = frozenset({"held out"})

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        assert comparison.held_out is not None
        return {"images": float(len(comparison.held_out))}


class Costly(MeanGap):
    """Takes long."""

    costly = True


class Two(Extractor):
    """Mean and deviation of an image's pixels."""

    dim = 2

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return torch.stack([flat.mean(1), flat.std(1)], dim=1)
