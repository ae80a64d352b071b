"""Noise that calls its random numbers otherwise than gantk does: as they were called, or as its author likes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from given_code import SMALL, Squares
from torch import Tensor
from whole_way import SHORT

import gantk
from gantk import registry
from gantk.data import ArraySource
from gantk.errors import GantkWarning
from gantk.measures import two_nn
from gantk.training.progress import Silent


class FormerSquares(Squares):
    """Written when `rng` was called `generator`."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        uniform = self.draw_uniform(n, self.dim, generator=generator)  # type: ignore[call-arg]
        return uniform + self.draw_normal(n, self.dim, generator=generator).square()  # type: ignore[call-arg]


class OwnSquares(Squares):
    def sample(self, n: int, source: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=source).square()


def former(n: int, generator: torch.Generator | None = None) -> Tensor:
    return torch.randn(n, 3, generator=generator)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given nothing yet."""
    monkeypatch.setattr(registry, "_given", {})


@pytest.mark.parametrize(
    ("noise", "told"),
    [
        (FormerSquares, {"NoiseSource.draw_normal", "NoiseSource.draw_uniform"}),
        (OwnSquares, set()),
        (former, {"noise former"}),
    ],
)
def test_noise_that_names_its_random_numbers_otherwise_trains(
    noise: Any, told: set[str], images: ArraySource, tmp_path: Path
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = gantk.build(data=images, settings=SHORT, **{**SMALL, "noise": noise})
        gantk.train(model, tmp_path / "run", progress=Silent())
    said = {str(each.message) for each in caught if issubclass(each.category, GantkWarning)}
    assert said == {f"{who}: the argument generator is called rng now." for who in told}
    assert torch.equal(gantk.load(tmp_path / "run").sample(3, seed=1), model.sample(3, seed=1))


def test_a_function_is_given_its_random_numbers(images: ArraySource) -> None:
    with pytest.warns(GantkWarning, match="noise former: the argument generator is called rng now"):
        model = gantk.build(data=images, settings=SHORT, **{**SMALL, "noise": former})
    expected = former(4, torch.Generator().manual_seed(2))
    assert torch.equal(model.noise.sample(4, torch.Generator().manual_seed(2)), expected)


@pytest.mark.parametrize(
    "draw",
    [
        lambda **given: Squares().draw_normal(4, 3, **given),
        lambda **given: Squares().draw_uniform(4, 3, **given),
        lambda **given: torch.tensor(two_nn(POINTS, resamples=5, **given).fit_error),
    ],
    ids=["draw_normal", "draw_uniform", "two_nn"],
)
def test_the_former_name_means_the_same(draw: Callable[..., Tensor]) -> None:
    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(7)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = draw(rng=seeded())
    with pytest.warns(GantkWarning, match="the argument generator is called rng now"):
        assert torch.equal(draw(generator=seeded()), expected)
    with pytest.raises(TypeError, match="generator"):
        draw(generator=seeded(), rng=seeded())


POINTS = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
