"""A discriminator for each of several image sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gantk import Discriminator, Verdict, require
from gantk.construct import nested, offers_of
from gantk.errors import FitError
from gantk.nn import halved, size_list
from gantk.parts import ImageShape

__all__ = ["PyramidDiscriminator"]


class PyramidDiscriminator(Discriminator):
    """A discriminator for each of several image sizes, all of one kind; images are judged by that of their size.

    Args:
        of: discriminator plugin for each size, with options.
        sizes: number of sizes, at least 2; the largest is the images'.
        doublings: how often each size is doubled to the next, at least 1.
    """

    paper = "Zhang et al. 2018, arXiv:1710.10916, section 4.1"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        class_count: int,
        condition_dim: int,
        *,
        of: str = "gantk:stackgan",
        sizes: int = 3,
        doublings: int = 1,
    ) -> None:
        super().__init__()
        require(sizes >= 2, f"sizes must be at least 2, not {sizes}.")
        require(doublings >= 1, f"doublings must be at least 1, not {doublings}.")
        self.sizes = halved(image_shape[1:], (sizes - 1) * doublings)[::doublings][::-1]
        context: dict[str, Any] = {"noise_dim": noise_dim, "class_count": class_count, "condition_dim": condition_dim}
        judges = [nested("discriminator", of, image_shape=(image_shape[0], *size), **context) for size in self.sizes]
        self.judges = nn.ModuleList(judges)
        self.reads_condition = judges[-1].reads_condition
        self.provides = frozenset.intersection(*(judge.provides for judge in judges))
        self.offers: Mapping[str, Mapping[str, Any]] = offers_of("of", of, judges[-1])

    def forward(self, images: Tensor, *conditions: Tensor) -> Verdict:
        """The verdict of the discriminator of the images' size; `FitError` for another size."""
        size = (images.shape[2], images.shape[3])
        if size not in self.sizes:
            raise FitError(f"images of {size[0]}x{size[1]} pixels have none of the sizes {size_list(self.sizes)}.")
        verdict: Verdict = self.judges[self.sizes.index(size)](images, *conditions)
        return verdict
