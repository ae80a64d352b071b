"""ADA: augmentation that grows while the discriminator overfits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from gantk import Play, require
from gantk.nn import logits
from gantk_augment.shared import OfImages
from gantk_augment.transforms import recolored, warped

__all__ = ["AdaptiveAugmentation"]


class AdaptiveAugmentation(OfImages):
    """Adaptive augmentation of all that the discriminator judges: as much as it needs not to overfit (ADA).

    Images are mirrored, turned, scaled, stretched, moved and recolored, each change with probability p. After each turn
    of the discriminator, p grows or falls as r = E sign(D(x)) over real images is above or below its target. Each game
    has its own p, which the log shows.

    Args:
        target: target of r, in (-1, 1).
        images: images in which p can go from 0 to 1, at least 1.
        of: `real` reads r off the logits of real images, `pairs` off D(x) - D(G(z)), as relativistic losses need, which
            leave the logits' mean undetermined.
        color: whether to change colors too.
    """

    paper = "Karras et al. 2020, arXiv:2006.06676, section 3"
    state: Mapping[str, float] = {"p": 0.0}

    def __init__(
        self,
        *,
        target: float = 0.6,
        images: int = 500_000,
        of: Literal["real", "pairs"] = "real",
        color: bool = True,
    ) -> None:
        super().__init__()
        require(-1 < target < 1, f"target must be above -1 and below 1, not {target}.")
        require(images >= 1, f"images must be at least 1, not {images}.")
        self.target = target
        self.images = images
        self.of = of
        self.color = color

    def transform(self, images: Tensor, play: Play) -> Tensor:
        """Augmented images; each has random numbers of its own."""
        p = play.state["p"].to(images.device)
        images = warped(images, p)
        return recolored(images, p) if self.color else images

    def after_discriminator(self, play: Play) -> Mapping[str, Tensor]:
        """p, moved by the sign of r - target."""
        judged = logits(play.real_verdict)
        if self.of == "pairs":
            judged = judged - logits(play.fake_verdict)
        direction = (judged.sign().mean() - self.target).sign()
        return {"p": (play.state["p"] + direction * len(judged) / self.images).clamp(0, 1)}
