"""An extractor of gray images for each channel of an image."""

from __future__ import annotations

from torch import Tensor

from gantk import Extractor
from gantk.construct import construct
from gantk.parts import ImageShape, weights_digest

__all__ = ["Channels"]


class Channels(Extractor):
    """Another extractor's features of each channel, one after the other, as if it were a gray image.

    Its classes are all combinations of that extractor's classes, first that of the first channel: with
    `of='classifier:data=mnist'`, the 1,000 classes of Stacked MNIST. Their probability is the product of the channels'.

    Args:
        of: the extractor, with options in quotes, such as 'classifier:data=mnist'.
    """

    paper = "Metz et al. 2017, arXiv:1611.02163, section 3.3.1"

    def __init__(self, image_shape: ImageShape, *, of: str) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.of: Extractor = construct("extractor", of, image_shape=(1, height, width))
        self.channels = channels
        self.dim = channels * self.of.dim
        self.class_count = self.of.class_count**channels if self.of.class_count else 0
        self.resize = self.of.resize

    def forward(self, images: Tensor) -> Tensor:
        gray = images.flatten(0, 1).unsqueeze(1)
        features: Tensor = self.of(gray)
        return features.view(len(images), self.dim)

    def classify(self, features: Tensor) -> Tensor:
        n = len(features)
        each = self.of.classify(features.view(n * self.channels, self.of.dim)).view(n, self.channels, -1)
        found = each[:, 0]
        for channel in range(1, self.channels):
            found = (found.unsqueeze(2) * each[:, channel].unsqueeze(1)).flatten(1)
        return found

    def fingerprint(self) -> str:
        """A hash of the other extractor's, and of the number of channels."""
        return weights_digest(self, self.of.fingerprint(), self.channels)
