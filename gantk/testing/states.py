"""Tests for parts with state."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from gantk.parts import Part
from gantk.schedule import Play

__all__ = ["check_states"]

PREFIX = "after_"


def check_states(part: Part, play: Play) -> None:
    """Assert that `after_<role>` returns new values of declared state, and changes neither the part nor the play."""
    methods = [name for name in dir(type(part)) if name.startswith(PREFIX)]
    assert not methods or part.state, f"{', '.join(methods)} need state: declare it as `state = {{'name': initial}}`."
    kept, before = copy.deepcopy(part.state_dict()), {name: value.clone() for name, value in play.state.items()}
    for method in methods:
        with torch.no_grad():
            found = getattr(part, method)(play)
        unknown = sorted(set(found) - set(part.state))
        assert not unknown, f"{method} returned {', '.join(unknown)}, which is not declared in `state`."
        for name, value in found.items():
            assert isinstance(value, Tensor), f"{method} returned {value!r:.60} for {name}; expected a tensor."
            assert value.shape == (), f"{method} returned a tensor {list(value.shape)} for {name}; expected a scalar."
            assert torch.isfinite(value), f"{method} returned {value.item()} for {name}; expected a finite number."
        changed = [name for name, value in before.items() if not torch.equal(play.state[name], value)]
        assert not changed, f"{method} changed {', '.join(changed)} in place; return new tensors."
    for name, value in part.state_dict().items():
        assert torch.equal(value, kept[name]), (
            f"{', '.join(methods)} changed {name} of the part; declare it in `state` and return the new value, so that "
            "each game has its own and all devices agree."
        )
