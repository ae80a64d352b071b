"""Errors of the code of parts are one line that names the class and the method."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gantk import Generator
from gantk.building.faults import blaming
from gantk.errors import FitError


class Encoding(Generator):
    noise_dim = 2
    image_shape = (1, 2, 2)

    def forward(self, noise: Tensor) -> Tensor:
        self.encode(noise)  # it has none: the method is the one that it inherits
        return noise


def test_an_error_in_an_inherited_method_is_of_the_method_that_called_it() -> None:
    with (
        pytest.raises(FitError, match=r"^step 3: Encoding\.forward fails: TypeError: Encoding has no encoder"),
        blaming("step 3: "),
    ):
        Encoding()(torch.zeros(1, 2))


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), blaming():
        1 / 0  # noqa: B018
    with pytest.raises(MemoryError), blaming():
        raise MemoryError
