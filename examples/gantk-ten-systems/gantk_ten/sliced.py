"""The sliced Wasserstein distance between real and generated images, as features see them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from gantk import Extractor, Metric, require
from gantk.construct import construct
from gantk.data import to_float
from gantk.errors import UsageError
from gantk.model import Model
from gantk.parts import ImageShape


class Pixels(Extractor):
    """The pixels of an image, averaged down to `size`×`size`.

    Args:
        size: side of the small image, at least 1.
    """

    def __init__(self, image_shape: ImageShape, *, size: int = 8) -> None:
        super().__init__()
        require(size >= 1, f"size must be at least 1, not {size}.")
        self.size = size
        self.dim = image_shape[0] * size * size

    def forward(self, images: Tensor) -> Tensor:
        return adaptive_avg_pool2d(images, self.size).flatten(1)


class SlicedWasserstein(Metric):
    """The sliced Wasserstein-1 distance between the features of real and of generated images; lower is better.

    It is the mean over random directions of the distance of the two sets as they lie along each.

    Args:
        features: extractor plugin, with options.
        samples: real and generated images, as many of each, at least 2.
        directions: random directions, at least 1.
    """

    paper = "Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3"

    def __init__(
        self, image_shape: ImageShape, *, features: str = "pixels", samples: int = 256, directions: int = 64
    ) -> None:
        super().__init__()
        require(samples >= 2, f"samples must be at least 2, not {samples}.")
        require(directions >= 1, f"directions must be at least 1, not {directions}.")
        self.extractor: Extractor = construct("extractor", features, image_shape=image_shape)
        self.samples = samples
        self.directions = directions

    def measure(self, model: Model) -> Mapping[str, float]:
        """`distance`, on the first real images and on those of random seed 0."""
        data = model.built.data
        if data is None:
            raise UsageError("metric 'sliced' compares with real images, and this model was loaded without its data.")
        count = min(self.samples, len(data))
        real = to_float(data.images(range(count))).to(model.device)
        found = [self.extractor(images.to(model.device)) for images in (real, model.sample(count, seed=0))]
        directions = torch.randn(self.extractor.dim, self.directions, device=model.device)
        along = [(features @ directions / directions.norm(dim=0)).sort(dim=0).values for features in found]
        return {"distance": (along[0] - along[1]).abs().mean().item()}
