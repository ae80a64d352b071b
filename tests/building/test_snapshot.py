"""What a trial changes in a model is put back, also what brought a graph along."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import gantk
from gantk.building.changes import checked_settings
from gantk.building.snapshot import Snapshot
from gantk.errors import OptionError


def test_a_buffer_that_a_graph_was_added_to_is_a_leaf_again() -> None:
    module = nn.Linear(2, 1)
    module.register_buffer("total", torch.zeros(()))
    total = module.total
    before = Snapshot(module)
    total += module(torch.ones(1, 2)).sum()
    assert total.requires_grad
    before.restore()
    assert (module.total is total, total.is_leaf, total.requires_grad, total.item()) == (True, True, False, 0.0)


def test_a_batch_is_divided_among_devices(tiny: Callable[..., gantk.Model]) -> None:
    model = tiny()
    checked_settings(model, [("stages.game.batch_size", 6), ("train.devices", 2)])
    with pytest.raises(OptionError, match="stage 'game': 7 is not divisible by 2 devices"):
        checked_settings(model, [("stages.game.batch_size", 7), ("train.devices", 2)])
