"""The reconstruction error of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gantk import Metric, require
from gantk.data import to_float
from gantk.measures import Comparison, Side, image_errors

__all__ = ["Reconstruction"]


class Reconstruction(Metric):
    """The error of images that a model encodes and generates again from their codes; lower is better.

    The discriminator encodes images if it predicts codes, else the generator if it has an encoder; models whose encoder
    was not trained are refused. `reconstruction_squared` and `reconstruction_absolute` are the mean errors per pixel in
    [-1, 1] over held-out images, and `reconstruction_squared_seen` over as many training images: if it is much lower,
    the model overfits. `mean_image_squared` and `mean_image_absolute` are the errors of the mean of the held-out
    images, which a trained model should beat.

    Args:
        images: maximum number of held-out and of training images, at least 1.
    """

    needs = frozenset({"model", "held out"})
    paper = "Shao et al., A Survey of DCGAN based Unsupervised Decoding and Image Generation"
    better: ClassVar = {"reconstruction_squared": "lower", "reconstruction_absolute": "lower"}

    def __init__(self, *, images: int = 2000) -> None:
        super().__init__()
        require(images >= 1, f"images must be at least 1, not {images}.")
        self.images = images

    def least(self, comparison: Comparison) -> int:
        return 1

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        model, held_out = comparison.model, comparison.held_out
        assert model is not None
        assert held_out is not None
        new, seen = (image_errors(model, _Some(side, self.images)) for side in (held_out, comparison.real))
        assert new.mean_image is not None
        return {
            "reconstruction_squared": new.again.squared,
            "reconstruction_absolute": new.again.absolute,
            "mean_image_squared": new.mean_image.squared,
            "mean_image_absolute": new.mean_image.absolute,
            "reconstruction_squared_seen": seen.again.squared,
        }


class _Some:
    """Batches of random images of a side; every iteration returns the same images."""

    def __init__(self, side: Side, images: int) -> None:
        self.side = side
        self.chosen = torch.randperm(len(side))[:images].sort().values

    def __iter__(self) -> Iterator[Tensor]:
        for part in torch.split(self.chosen, 256):
            yield to_float(self.side.source.images(part.numpy()))
