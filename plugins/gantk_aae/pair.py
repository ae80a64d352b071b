"""Two discriminators of codes: one of styles, one of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gantk import Discriminator, Verdict
from gantk.construct import nested, offers_of
from gantk.errors import FitError
from gantk.parts import ImageShape

__all__ = ["CodePair"]

PROVIDED = frozenset({"logits", "hidden", "per-sample"})


class CodePair(Discriminator):
    """A discriminator of styles and one of classes, for codes that hold a style and then a class.

    Its own logit is the sum of both; in the game, each of the two plays by itself.

    Args:
        of: discriminator plugin for each of the two, with options.
    """

    paper = "Makhzani et al. 2016, arXiv:1511.05644, section 5"
    reads_condition = True

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        class_count: int,
        condition_dim: int,
        *,
        of: str = "gantk:gan:widths=[1000,1000]",
    ) -> None:
        super().__init__()
        dims = (image_shape[0] - condition_dim, condition_dim)
        if image_shape[1:] != (1, 1) or min(dims) < 1:
            raise FitError(
                "it judges codes that hold a style and a class, which this recipe does not have",
                "choose recipe 'semi-supervised-autoencoder', or another --discriminator",
            )
        context: dict[str, Any] = {"noise_dim": noise_dim, "class_count": class_count, "condition_dim": 0}
        self.dims = dims
        self.style, self.label = (_Untold(nested("discriminator", of, image_shape=(d, 1, 1), **context)) for d in dims)
        self.provides = self.style.provides
        self.offers: Mapping[str, Mapping[str, Any]] = offers_of("of", of, self.style.within)

    def forward(self, images: Tensor, conditions: Tensor | None = None) -> Verdict:
        dim = self.dims[0]
        style, label = self.style(images[:, :dim]), self.label(images[:, dim:])
        hidden = (*style.hidden, *label.hidden) if "hidden" in self.provides else None
        return Verdict(logits=style.logits + label.logits, hidden=hidden)


class _Untold(Discriminator):
    """A discriminator that is not shown the condition, which a class code would only repeat."""

    reads_condition = True

    def __init__(self, within: Discriminator) -> None:
        super().__init__()
        if within.reads_condition:
            raise FitError(
                f"{type(within).__name__} compares images with conditions, and codes have none", "use of=gan"
            )
        self.within = within
        self.provides = within.provides & PROVIDED

    def forward(self, images: Tensor, conditions: Tensor | None = None) -> Verdict:
        found: Verdict = self.within(images)
        return Verdict(logits=found.logits, hidden=found.hidden if "hidden" in self.provides else None)
