"""Adversarial losses: hinge, least squares, and relativistic ones."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import relu, softplus

from gantk import Loss, Play, require
from gantk.nn import logits
from gantk_adversarial.shared import paired, require_factor

__all__ = ["Hinge", "LeastSquares", "Relativistic"]


class _Game(Loss):
    adversarial = True
    needs = frozenset({"logits"})

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = require_factor("weight", weight)


class Hinge(_Game):
    """The hinge game: D minimizes E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))), G minimizes -E D(G(z)) (Lim & Ye 2017).

    Args:
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17"

    def discriminator(self, play: Play) -> Tensor:
        """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))."""
        real, fake = relu(1 - logits(play.real_verdict)), relu(1 + logits(play.fake_verdict))
        return play.log("real", real.mean()) + play.log("fake", fake.mean())

    def generator(self, play: Play) -> Tensor:
        """-E D(G(z))."""
        return -logits(play.fake_verdict).mean()


class LeastSquares(_Game):
    """The least-squares game: D minimizes ½ E (D(x) - b)² + ½ E (D(G(z)) - a)², G ½ E (D(G(z)) - c)² (Mao et al. 2017).

    The logits themselves are fitted to these labels, without a sigmoid. `a=-1,b=1,c=0` minimizes the Pearson χ²
    divergence (eq. 8); the default is the 0-1 coding of eq. 9. `b=0.9` is one-sided label smoothing.

    Args:
        a: D's label of generated images.
        b: D's label of real images, different from a.
        c: the label that G wants D to give its images, different from a.
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Mao et al. 2017, arXiv:1611.04076"

    def __init__(self, *, a: float = 0.0, b: float = 1.0, c: float = 1.0, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        for name, label in (("a", a), ("b", b), ("c", c)):
            require(math.isfinite(label), f"{name} must be finite, not {label}.")
        require(a not in (b, c), f"b and c must differ from a, the label of generated images, not a={a}, b={b}, c={c}.")
        self.a, self.b, self.c = a, b, c

    def discriminator(self, play: Play) -> Tensor:
        """½ E (D(x) - b)² + ½ E (D(G(z)) - a)²."""
        real, fake = (logits(play.real_verdict) - self.b).square(), (logits(play.fake_verdict) - self.a).square()
        return play.log("real", real.mean(), 0.5) + play.log("fake", fake.mean(), 0.5)

    def generator(self, play: Play) -> Tensor:
        """½ E (D(G(z)) - c)²."""
        return (logits(play.fake_verdict) - self.c).square().mean() / 2


class Relativistic(_Game):
    """A relativistic game: D tells whether a real image is more real than a generated one (Jolicoeur-Martineau 2019).

    By default row i of the real images is paired with row i of the generated ones: D minimizes
    E log(1 + exp(D(G(z)) - D(x))), and G E log(1 + exp(D(x) - D(G(z)))). With `average`, each image is compared with
    the mean logit of the other kind in the batch. With `r1` and `r2`, this is the loss of R3GAN.

    Args:
        average: whether to compare with the average of the other kind (RaGAN) rather than in pairs (RpGAN).
        weight: factor of this loss in the players' objectives, 0 or more.
    """

    paper = "Jolicoeur-Martineau 2019, arXiv:1807.00734; Huang et al. 2024, arXiv:2501.05441, section 2"

    def __init__(self, *, average: bool = False, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        self.average = average

    def discriminator(self, play: Play) -> Tensor:
        """How little real images are taken for more real than generated ones."""
        real, fake = logits(play.real_verdict), logits(play.fake_verdict)
        if not self.average:
            return _less(*paired(real, fake))
        return play.log("real", _less(real, fake.mean())) + play.log("fake", _less(real.mean(), fake))

    def generator(self, play: Play) -> Tensor:
        """The same with the two exchanged; the real images' logits are constants."""
        real, fake = logits(play.real_verdict).detach(), logits(play.fake_verdict)
        if not self.average:
            return _less(*paired(fake, real))
        return _less(fake, real.mean()) + _less(fake.mean(), real)


def _less(one: Tensor, other: Tensor) -> Tensor:
    """-E log σ(one - other), which is finite for all logits."""
    return softplus(other - one).mean()
