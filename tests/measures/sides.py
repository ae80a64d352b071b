"""Comparisons of small images with classes, for tests of metrics."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk import Extractor
from gantk.data import ArraySource
from gantk.measures import Comparison, Side
from gantk_metrics.pixels import Pixels

SHAPE = (1, 4, 3)
CLASSES = 3


def images(n: int, seed: int, classes: Tensor) -> Tensor:
    """uint8 `[n, 1, 4, 3]`: of each class, images around one that is its own."""
    means = torch.randint(60, 200, (CLASSES, *SHAPE), generator=torch.Generator().manual_seed(99))
    noise = torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))
    return (means[classes] + 15 * noise).clamp(0, 255).to(torch.uint8)


def side(
    n: int, seed: int, name: str, *, extractor: Extractor | None = None, labels: bool = True, noise: float = 0
) -> Side:
    """Images of every class in turn; noise has a standard deviation in levels of a byte."""
    classes = torch.arange(n) % CLASSES
    found = images(n, seed, classes)
    spoilt = noise * torch.randn(found.shape, generator=torch.Generator().manual_seed(seed + 1))
    return of_images((found + spoilt).clamp(0, 255).to(torch.uint8), name, classes if labels else None, extractor)


def of_images(found: Tensor, name: str, labels: Tensor | None = None, extractor: Extractor | None = None) -> Side:
    """A side of uint8 images."""
    return Side(ArraySource(found, labels), extractor or Pixels(SHAPE), name=name)


def comparison(
    *, real: int = 300, generated: int = 200, held_out: int = 0, noise: float = 0, extractor: Extractor | None = None
) -> Comparison:
    """Samples that are as good as real images, but for the noise that is told."""
    return Comparison(
        side(real, 1, "real", extractor=extractor),
        side(generated, 11, "generated", noise=noise, extractor=extractor),
        side(held_out, 21, "held out", extractor=extractor) if held_out else None,
    )


class Classifier(Extractor):
    """Knows the classes of these images, by the distance to the mean of each."""

    dim = 12
    class_count = CLASSES

    def __init__(self) -> None:
        super().__init__()
        means = [images(200, 0, torch.full((200,), each)).float().mean(0) for each in range(CLASSES)]
        self.register_buffer("means", torch.stack(means).flatten(1) / 127.5 - 1)
        self.means: Tensor

    def forward(self, found: Tensor) -> Tensor:
        return found.flatten(1)

    def classify(self, features: Tensor) -> Tensor:
        return torch.softmax(-20 * torch.cdist(features, self.means).square(), 1)
