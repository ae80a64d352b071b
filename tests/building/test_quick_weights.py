"""Weights that are only tried: as likely as those that are drawn, without drawing all of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gantk.building.quick_weights import CALL, DRAWN, QuickWeights


def test_they_are_distributed_as_those_that_are_drawn() -> None:
    torch.manual_seed(0)
    usual = nn.Conv2d(64, 256, 3).weight
    with QuickWeights():
        quick = nn.Conv2d(64, 256, 3).weight
        normal = nn.init.normal_(torch.zeros(300, 50), std=0.02)
        method = torch.zeros(500, 3, 7).uniform_(2, 4)
    assert isinstance(quick, nn.Parameter)
    torch.testing.assert_close([quick.std(), quick.mean()], [usual.std(), usual.mean()], rtol=0.05, atol=1e-3)
    torch.testing.assert_close(normal.std(), torch.tensor(0.02), rtol=0.1, atol=0)
    assert all((row != 0).any() for row in normal)
    assert 2 <= method.min() < 2.1 < 3.9 < method.max() < 4


def test_small_tensors_are_drawn_as_always() -> None:
    torch.manual_seed(0)
    usual = nn.Linear(DRAWN // 2, 2)
    torch.manual_seed(0)
    with QuickWeights():
        quick = nn.Linear(DRAWN // 2, 2)
    assert torch.equal(usual.weight, quick.weight)
    assert torch.equal(usual.bias, quick.bias)


def test_large_tensors_repeat_what_is_drawn() -> None:
    with QuickWeights():
        for shape in ((300, 50), (50, 300), (100_000,), (3, 9000), (1, 9000)):
            large = torch.zeros(shape).normal_()
            assert len(large.unique()) <= DRAWN + large[0].numel()
            assert (large != 0).all()


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 3)])
def test_tensors_of_any_shape_are_filled_in_place(shape: tuple[int, ...]) -> None:
    tensor = torch.zeros(shape)
    with QuickWeights():
        assert tensor.uniform_(1, 2) is tensor
        assert nn.init.normal_(tensor, 5.0) is tensor
    assert (tensor != 0).all()


def test_its_work_is_the_numbers_and_the_calls() -> None:
    one = torch.ones(10)
    with QuickWeights() as quick:
        one + one
        (one * 2).expand(5, 10)
    assert quick.work == 10 + 10 + 50 + 3 * CALL
