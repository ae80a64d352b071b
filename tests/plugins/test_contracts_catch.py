"""What contracts do with parts that refuse, and with plugins that are not installed."""

from __future__ import annotations

import pytest
from torch import Tensor
from unregistered import contract, run

from gantk import Generator, NoiseSource
from gantk.errors import FitError
from gantk.testing import GeneratorContract, NoiseContract


def test_refusals_are_skipped_but_not_all_of_them() -> None:
    class Refuses(Generator):
        def __init__(self) -> None:
            raise FitError("never")

        def forward(self, noise: Tensor) -> Tensor:
            return noise

    suite = contract(GeneratorContract, Refuses)
    with pytest.raises(pytest.skip.Exception, match="refused: never"):
        run(suite, "test_makes_images")
    with pytest.raises(AssertionError, match="refuses every shape"):
        run(suite, "test_takes_some_shape")


def test_a_plugin_that_is_not_installed_is_to_be_installed() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"there is no noise 'unregistered'.* `pip install -e \.`"):
        contract(NoiseContract, NoiseSource)._check_installed()
