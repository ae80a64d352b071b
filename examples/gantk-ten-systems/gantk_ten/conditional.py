"""Conditional DCGAN: a discriminator that reads conditions by projection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Discriminator, Verdict, require
from gantk.errors import FitError
from gantk.nn import DownStack, Norm, halve_until, provided
from gantk.parts import ImageShape


class ProjectionDiscriminator(Discriminator):
    """A convolutional discriminator whose logit is ψ(φ(x)) + ⟨V c, φ(x)⟩, c being the condition of image x.

    φ(x) is the last activation map, summed over its pixels.

    Args:
        width: channels next to the image, at least 1; they double with each halving, up to 8 · width.
        norm: normalization of every layer but the first; gradient penalties need one other than batch.
    """

    paper = "Miyato & Koyama 2018, arXiv:1802.05637, equation 3"
    reads_condition = True
    offers: Mapping[str, Mapping[str, Any]] = {"per-sample": {"norm": "layer"}}

    def __init__(self, image_shape: ImageShape, condition_dim: int, *, width: int = 64, norm: Norm = "batch") -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        if condition_dim == 0:
            raise FitError("it compares images with their condition, and this model has none", "use --condition class")
        self.provides = provided(norm=norm, code=False)
        halvings = len(halve_until(image_shape[1:], 7)) - 1
        widths = [width * min(2**depth, 8) for depth in range(halvings)]
        self.down = DownStack(image_shape[0], image_shape[1:], widths, kernel=4, norm=norm)
        self.logit = nn.Linear(widths[-1], 1)
        self.embedding = nn.Linear(condition_dim, widths[-1], bias=False)

    def forward(self, images: Tensor, conditions: Tensor) -> Verdict:
        hidden = self.down(images)
        features = hidden[-1].sum(dim=(2, 3))
        projected = (self.embedding(conditions.to(features.dtype)) * features).sum(dim=1)
        return Verdict(logits=self.logit(features).squeeze(1) + projected, hidden=hidden)
