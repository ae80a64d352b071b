"""The code loss: the discriminator predicts the noise that an image was generated from."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor

from gantk import Loss, Play, Verdict, require
from gantk.errors import FitError
from gantk.ops import code_loss

__all__ = ["CodeLoss"]

MOST_LOOPS = 100


class CodeLoss(Loss):
    """The code loss: 0.012 · ‖z - D_code(G(z))‖, which both players minimize (Shao, Li & Jiang, eq. 3).

    The paper minimizes w · l_code + (1 - w) · l_DCGAN (eq. 2): `weight` is w, and the weight of the game's own loss is
    1 - w. The norm is over the code of one image, averaged over the batch. With `loops` above 1, which the paper
    proposes as future work, an image is generated from the predicted code and encoded again: c₁ = D_code(G(z)),
    c₂ = D_code(G(c₁)), …, and the loss is the mean of the distances ‖z - cᵢ‖.

    Args:
        p: order of the norm: 1 is the sum of absolute differences, 2 the root of the sum of squares.
        scale: factor with which the paper keeps the code loss from dominating, 0 or more.
        loops: how often the code is predicted, 1 to 100; each further loop is one more forward of the generator and the
            discriminator, all kept for the backward.
        weight: factor w of this loss in the players' objectives, 0 or more.
    """

    paper = "Shao, Li & Jiang, A Survey of DCGAN based Unsupervised Decoding and Image Generation"
    needs = frozenset({"code"})

    def __init__(self, *, p: Literal[1, 2] = 2, scale: float = 0.012, loops: int = 1, weight: float = 1.0) -> None:
        super().__init__()
        require(0 <= scale < math.inf, f"scale must be 0 or more and finite, not {scale}.")
        require(1 <= loops <= MOST_LOOPS, f"loops is 1 to {MOST_LOOPS}, not {loops}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        self.p: Literal[1, 2] = p
        self.scale = scale
        self.loops = loops
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        """The discriminator predicts the code."""
        return self._distance(play)

    def generator(self, play: Play) -> Tensor:
        """The generator generates images whose code can be predicted."""
        return self._distance(play)

    def _distance(self, play: Play) -> Tensor:
        code = _code(play.fake_verdict)
        total = code_loss(play.noise, code, self.p)
        for _ in range(self.loops - 1):
            code = _code(play.judge(play.generate(code)))
            total = total + code_loss(play.noise, code, self.p)
        play.log("distance", total / self.loops, self.scale)
        return self.scale / self.loops * total


def _code(verdict: Verdict) -> Tensor:
    if verdict.code is None:
        raise FitError(
            "this discriminator's verdict has no code; use one that provides 'code', such as dcgan:code=true."
        )
    return verdict.code
