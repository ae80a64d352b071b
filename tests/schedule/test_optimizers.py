"""Optimizers: Adam and AdamW are fused, and take the same steps as when they are not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gantk.schedule.optimizers import make_optimizer


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("options", [{}, {"amsgrad": True, "weight_decay": 0.1}, {"maximize": True}])
def test_fused_steps_are_those_of_the_plain_implementation(name: str, options: dict[str, Any]) -> None:
    settings = {"optimizer": name, "lr": 0.01, "betas": [0.5, 0.999], **options}
    start = torch.linspace(-1, 1, 1000)
    ends = []
    for given in ({}, {"fused": False}, {"foreach": True}):
        parameter = nn.Parameter(start.clone())
        optimizer = make_optimizer({**settings, **given}, [parameter])
        for number in range(20):
            optimizer.zero_grad()
            (parameter * (number + 1)).sin().sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        ends.append(parameter.detach())
        assert bool(optimizer.param_groups[0]["fused"]) == (not given)
    for end in ends[1:]:
        torch.testing.assert_close(ends[0], end, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_fused_is_not() -> None:
    numbers = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    assert not make_optimizer({"optimizer": "adam"}, [numbers]).param_groups[0]["fused"]
    rows = nn.Embedding(5, 2, sparse=True)
    optimizer = make_optimizer({"optimizer": "sgd", "lr": 0.1}, rows.parameters())
    rows(torch.tensor([1])).sum().backward()
    optimizer.step()
