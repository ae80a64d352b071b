"""The contract of losses: each of these breaks one promise, and the suite says which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from unregistered import check_caught, check_honest

from gantk import Loss, Play
from gantk.testing import LossContract


class Wins(Loss):
    """A loss.

    Args:
        weight: its factor.
    """

    adversarial = True
    needs = frozenset({"logits"})

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        assert play.real_verdict.logits is not None
        return -play.real_verdict.logits.mean()

    def generator(self, play: Play) -> Tensor:
        assert play.fake_verdict.logits is not None
        return -play.fake_verdict.logits.mean()


class Needy(Wins):
    needs = frozenset()


class OneSided(Wins):
    def discriminator(self, play: Play) -> Tensor | None:  # type: ignore[override]
        return None


class Vector(Wins):
    def generator(self, play: Play) -> Tensor:
        return super().generator(play).expand(3)


class Heavy(Wins):
    def generator(self, play: Play) -> Tensor:
        return self.weight * super().generator(play)


class Backward(Wins):
    def generator(self, play: Play) -> Tensor:
        term = super().generator(play)
        torch.autograd.backward(term, retain_graph=True)
        return term


class Constant(Wins):
    def generator(self, play: Play) -> Tensor:
        return super().generator(play).detach()


class Ambitious(Wins):
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"discriminator": {"repeat": 5}}


class Unweighted(Wins):
    """A loss.

    Args:
        factor: nobody reads it.
    """

    def __init__(self, factor=1.0) -> None:  # type: ignore[no-untyped-def]
        super().__init__()


CASES = [
    (Needy, "test_terms_are_scalars", "Add everything that the loss reads to `needs`"),
    (OneSided, "test_a_game_has_two_sides", "has a term for"),
    (Vector, "test_terms_are_scalars", "average over the batch"),
    (Heavy, "test_weight_is_applied_once", "without the weight"),
    (Backward, "test_only_returns_tensors", "must not call backward"),
    (Constant, "test_terms_move_their_player", "has no gradient"),
    (Ambitious, "test_settings_are_known", "'repeat'"),
    (Unweighted, "test_has_a_weight", "weight: float = 1.0"),
    (Unweighted, "test_every_option_has_a_type", "factor: no type"),
]


@pytest.mark.parametrize(("part", "test", "message"), CASES)
def test_a_broken_promise_is_caught(part: type, test: str, message: str) -> None:
    check_caught(LossContract, part, test, message)


def test_an_honest_part_passes() -> None:
    check_honest(LossContract, Wins)
