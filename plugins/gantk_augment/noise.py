"""Instance noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantk import Part, Play, require

__all__ = ["InstanceNoise"]


class InstanceNoise(Part):
    """Gaussian noise on all that the discriminator judges, real and generated, which falls linearly to 0.

    The two distributions then overlap from the start, so that the discriminator cannot tell them apart completely.

    Args:
        std: standard deviation at the start of a stage, for images in [-1, 1]; 0 or more.
        until: the fraction of the stage after which there is no noise, above 0 and at most 1.
    """

    paper = "Sønderby et al. 2017, arXiv:1610.04490, section 3.3; Arjovsky & Bottou 2017, arXiv:1701.04862"

    def __init__(self, *, std: float = 0.1, until: float = 1.0) -> None:
        super().__init__()
        require(0 <= std < math.inf, f"std must be 0 or more and finite, not {std}.")
        require(0 < until <= 1, f"until must be above 0 and at most 1, not {until}.")
        self.std = std
        self.until = until

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """The images with noise."""
        std = self.std * max(0.0, 1 - play.done / self.until)
        return images + std * torch.randn_like(images) if std else images
