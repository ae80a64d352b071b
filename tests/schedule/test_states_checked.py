"""Numbers that parts keep: which are declared, which are returned, and what is said of others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gantk import Step
from gantk.errors import FitError
from gantk.schedule import Batch
from gantk.schedule.states import States, checked_numbers


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        (["k"], "began: state is a list; expected name → initial value"),
        ({3: 1.0}, "state has a number called 3; expected letters"),
        ({"a.b": 1.0}, r"state has a number called 'a\.b'; expected letters"),
        ({"k": True}, r"state\['k'\] is True; expected a finite number"),
        ({"k": "1"}, r"state\['k'\] is '1'; expected a finite number"),
        ({"k": torch.ones(())}, r"state\['k'\] is tensor"),
        ({"k": float("nan")}, r"state\['k'\] is nan; expected a finite number"),
    ],
)
def test_declared_numbers_are_finite_and_have_names(declared: Any, says: str) -> None:
    with pytest.raises(FitError, match=says):
        States().declare("began", declared)


@pytest.mark.parametrize("value", [2, 2.0, torch.tensor(2.0)])
def test_numbers_that_are_returned_are_scalars(value: Any) -> None:
    numbers = checked_numbers({"k": value}, {"k": 1.0, "other": 0.0}, "Mine.after_generator")
    assert {name: float(number) for name, number in numbers.items()} == {"k": 2.0}


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "Mine.after_generator returned a NoneType; expected name → new value"),
        ({"q": 1.0}, "returned 'q', which `state` does not declare: it has k, other"),
        ({"k": "2"}, "returned '2' for 'k'; expected a scalar tensor"),
        ({"k": torch.ones(2)}, r"returned a tensor \[2\] of torch.float32 for 'k'"),
        ({"k": torch.ones(()) * 1j}, r"returned a tensor \[\] of torch.complex64 for 'k'"),
    ],
)
def test_what_is_returned_otherwise_is_told(found: Any, says: str) -> None:
    with pytest.raises(FitError, match=says):
        checked_numbers(found, {"k": 1.0, "other": 0.0}, "Mine.after_generator")


def test_a_step_knows_which_modules_its_values_used() -> None:
    modules = nn.ModuleDict({"one": nn.Identity(), "other": nn.Identity()})
    values = {name: lambda step, name=name: step.use(name)(step["real"]) for name in modules}
    step = Step(modules, Batch(torch.ones(2, 1)), values)
    assert step["one"].shape == step["other"].shape
    assert step.used() == {"one", "other"}
    assert step.used(["one"]) == {"one"}
