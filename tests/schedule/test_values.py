"""What a value of a step may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from played import SHAPE, assembled
from torch import Tensor

from gantk import Step
from gantk.errors import FitError
from gantk.schedule import Batch


class Pair(NamedTuple):
    one: Any
    other: Any


@dataclass(frozen=True)
class Kept:
    images: Any
    count: int


@pytest.mark.parametrize("make", [lambda a, b: (a, b), lambda a, b: [a, b], Pair, lambda a, b: {"one": a, "other": b}])
def test_a_value_may_hold_several_tensors(make: Callable[[Tensor, Tensor], Any]) -> None:
    def both(step: Step) -> Any:
        images = step.use("generator")(step["noise"])
        return make(images, images.mean())

    step = assembled().step(Batch(torch.zeros(2, *SHAPE)), {"both": both})
    step.begin(["discriminator"], ["generator"])
    first = step["both"]
    flat = [*first.values()] if isinstance(first, dict) else [*first]
    assert [each.requires_grad for each in flat] == [False, False]
    step.end()
    step.begin(["generator"])
    flat = [*step["both"].values()] if isinstance(first, dict) else [*step["both"]]
    assert [each.requires_grad for each in flat] == [True, True]


def test_a_value_may_be_a_dataclass_with_numbers_and_nothing() -> None:
    values = {"kept": lambda step: Kept(step.use("generator")(step["noise"]), 3), "none": lambda step: None}
    step = assembled().step(Batch(torch.zeros(2, *SHAPE)), values)
    step.begin(["discriminator"], ["generator"])
    assert (step["kept"].images.requires_grad, step["kept"].count, step["none"]) == (False, 3, None)


def test_a_value_that_is_no_tensor_is_named() -> None:
    step = assembled().step(Batch(torch.zeros(2, *SHAPE)), {"odd": lambda step: (step["noise"], object())})
    with pytest.raises(FitError, match="value 'odd' of a step is a object; expected tensors, alone or in containers"):
        step["odd"]
