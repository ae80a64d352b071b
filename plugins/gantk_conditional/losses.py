"""The auxiliary classifier's loss."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from gantk import Loss, Play, Verdict, require
from gantk.errors import FitError

__all__ = ["AuxiliaryClassifier"]


class AuxiliaryClassifier(Loss):
    """AC-GAN's class loss: the discriminator names the class of real and generated images, the generator helps it.

    Both players minimize the cross-entropy of the discriminator's class logits with the classes of the images: the
    discriminator on real and generated images, the generator on its own. It is added to any adversarial loss.

    Args:
        fake: whether the discriminator also learns from the classes of generated images, as in the paper.
        weight: factor of this loss in its players' objectives, 0 or more.
    """

    paper = "Odena, Olah & Shlens 2017, arXiv:1610.09585, equation 3"
    needs = frozenset({"classes", "condition", "labels"})

    def __init__(self, *, fake: bool = True, weight: float = 1.0) -> None:
        super().__init__()
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.fake = fake
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        """-E log P(c | x) - E log P(c | G(z, c)), without the second term unless `fake`."""
        real = play.log("real", _cross_entropy(play.real_verdict, play.labels))
        return real + play.log("fake", _cross_entropy(play.fake_verdict, play.labels)) if self.fake else real

    def generator(self, play: Play) -> Tensor:
        """-E log P(c | G(z, c))."""
        return _cross_entropy(play.fake_verdict, play.labels)


def _cross_entropy(verdict: Verdict, labels: Tensor) -> Tensor:
    if labels.dim() != 1:
        raise FitError("the labels of this data are vectors, and a class loss needs classes", "leave out the loss")
    assert verdict.classes is not None
    return F.cross_entropy(verdict.classes.float(), labels.long())
