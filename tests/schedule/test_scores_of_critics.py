"""Which parameters of a critic its score depends on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantk import Discriminator, Verdict
from gantk.parts import ImageShape
from gantk.schedule.scores import Scores
from gantk.testing import ToyDiscriminator

SHAPE: ImageShape = (1, 4, 3)
IMAGES = torch.zeros(2, *SHAPE)


def critic(*provides: str) -> ToyDiscriminator:
    return ToyDiscriminator(frozenset(provides), SHAPE, 5)


def clipped(judge: nn.Module, *listened: nn.Module) -> set[str]:
    """Names of the parameters that are clipped after a verdict."""
    with Scores(listened or [judge]) as scores:
        for each in judge.modules():
            if isinstance(each, Discriminator):
                each(IMAGES)
    named = list(judge.named_parameters())
    found = {id(parameter) for parameter in scores.clipped([parameter for _, parameter in named])}
    return {name.partition(".weight")[0].partition(".bias")[0] for name, each in named if id(each) in found}


def test_heads_that_the_score_does_not_depend_on_are_not_clipped() -> None:
    assert clipped(critic("logits", "code")) == {"first", "second", "heads.logits"}


def test_a_critic_within_another_module_is_found() -> None:
    within = {f"0.{name}" for name in ("first", "second", "heads.logits")}
    assert clipped(nn.ModuleList([critic("logits", "code")])) == within


@pytest.mark.parametrize("listened", [[nn.Linear(2, 2)], []])
def test_without_a_score_all_is_clipped(listened: list[nn.Module]) -> None:
    assert clipped(critic("code"), *listened) == {"first", "second", "heads.code"}


class Wrong(ToyDiscriminator):
    """Returns no verdict, which others complain about."""

    def forward(self, images: Tensor) -> Any:
        return super().forward(images).logits


def test_what_is_no_verdict_is_no_score() -> None:
    assert clipped(Wrong(frozenset({"logits"}), SHAPE, 5)) == {"first", "second", "heads.logits"}


def test_a_critic_is_listened_to_no_longer_than_asked() -> None:
    judge = critic("logits")
    with Scores([judge]) as scores:
        pass
    verdict: Verdict = judge(IMAGES)
    assert verdict.logits is not None
    judge.other = nn.Linear(2, 2)
    assert scores.clipped([*judge.parameters()]) == [*judge.parameters()], "not what was judged later"
