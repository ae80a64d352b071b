"""States of optimizers: taken, written flat, and loaded where they fit."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer, RMSprop

from gantk.errors import CheckpointError
from gantk.run.optimizer_states import flat, load_states, nested, states_of

Make = Callable[[Any], Optimizer]
MAKERS: dict[str, Make] = {
    "adam": Adam,
    "amsgrad": partial(Adam, amsgrad=True),
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "rmsprop": partial(RMSprop, centered=True),
}


def after(make: Make, steps: int, dtype: torch.dtype = torch.float32) -> tuple[nn.Linear, Optimizer]:
    """A layer and its optimizer after steps of it, and a parameter that never has a gradient."""
    torch.manual_seed(0)
    layer = nn.Linear(2, 3, dtype=dtype)
    idle = nn.Parameter(torch.ones(4, dtype=dtype))
    optimizer = make([{"params": [idle]}, {"params": [*layer.parameters()]}])
    for _ in range(steps):
        optimizer.zero_grad()
        layer(torch.ones(5, 2, dtype=dtype)).square().sum().backward()
        optimizer.step()
    return layer, optimizer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("turns", [None, {"one": 1}])
def test_what_was_loaded_goes_on_as_what_was_saved(make: Make, dtype: torch.dtype, turns: Any) -> None:
    layer, optimizer = after(make, 1, dtype)
    other, resumed = after(make, 0, dtype)
    other.load_state_dict(layer.state_dict())
    tensors, others = flat(states_of({"one": optimizer}))
    load_states({"one": resumed}, nested(deepcopy(tensors), others), "here", turns)
    for module, each in ((layer, optimizer), (other, resumed)):
        each.zero_grad()
        module(torch.ones(5, 2, dtype=dtype)).square().sum().backward()
        each.step()
    assert torch.equal(layer.weight, other.weight)


def test_states_are_named_by_player_parameter_and_value() -> None:
    _, optimizer = after(Adam, 2)
    states = {"a.b": {1: {"step": torch.tensor(2.0), "kept": 3}}, "idle": {}}
    assert flat(states) == ({"a.b.1.step": torch.tensor(2.0)}, {"a.b": {"1.kept": 3}, "idle": {}})
    assert nested(*flat(states)) == states
    assert list(states_of({"one": optimizer})["one"]) == [1, 2], "the first has none"
    with pytest.raises(ValueError, match=r"c\.1\.step belongs to no player"):
        nested({"c.1.step": torch.tensor(1.0)}, {"a": {}})


@pytest.mark.parametrize(
    ("change", "turns", "said"),
    [
        (lambda each: each.update({3: each[1]}), 2, "it has more than 3 parameters"),
        (lambda each: each.clear(), 2, "it has nothing of parameter 0"),
        (lambda each: each[2].pop("exp_avg"), 2, "of parameter 2, not"),
        (lambda each: each[2].update(exp_avg=torch.ones(4)), 2, r"exp_avg of parameter 2 is float32\[4\], not"),
        (lambda each: each[2].update(exp_avg=each[2]["exp_avg"].double()), 2, r"is float64\[3\], not float32\[3\]"),
        (lambda each: each[2].update(exp_avg=1.0), 2, "exp_avg of parameter 2 is float, not"),
        (lambda each: None, 1, "parameter 1 has had 2 of 1 steps"),
        (lambda each: each[1]["step"].fill_(1.5), 2, "parameter 1 has had 1.5 of 2 steps"),
        (lambda each: each[1]["step"].fill_(0), 2, "parameter 1 has had 0 of 2 steps"),
    ],
)
def test_states_of_another_optimizer_are_refused(change: Callable[[Any], object], turns: int, said: str) -> None:
    _, optimizer = after(Adam, 2)
    states = deepcopy(states_of({"one": optimizer}))
    load_states({"one": after(Adam, 0)[1]}, deepcopy(states), "here", {"one": 2})
    change(states["one"])
    with pytest.raises(CheckpointError, match=f"here: the state of player 'one' is of another optimizer: .*{said}"):
        load_states({"one": after(Adam, 0)[1]}, states, "here", {"one": turns})


def test_players_must_be_the_same() -> None:
    _, optimizer = after(Adam, 1)
    with pytest.raises(CheckpointError, match=r"here was written by players \['one'\], not \['other'\]"):
        load_states({"other": optimizer}, states_of({"one": optimizer}), "here")
