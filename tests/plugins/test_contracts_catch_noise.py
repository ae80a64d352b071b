"""The contract of noise sources: each of these breaks one promise, and the suite says which."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from unregistered import check_caught

from gantk import NoiseSource
from gantk.testing import NoiseContract


class Noise(NoiseSource):
    """Noise."""

    def __init__(self, dim: int = 5) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng)


class FalselyNormal(Noise):
    distribution = "normal"

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_uniform(n, self.dim, rng=rng)


class GlobalNoise(Noise):
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, self.dim)


class SeededNoise(Noise):
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, self.dim, generator=torch.Generator().manual_seed(0))


class WrongLength(Noise):
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim + 1, rng=rng)


class StatefulNoise(Noise):
    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.randn(5)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return super().sample(n, rng) + self.shift


class CutNoise(Noise):
    """Says that it learns, and draws without gradients."""

    learned = ("",)

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return super().sample(n, rng) * self.scale.detach()


class SleepyNoise(Noise):
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        self.eval()
        return super().sample(n, rng)


class HidingNoise(Noise):
    def __init__(self) -> None:
        super().__init__()
        self.players = 3  # type: ignore[assignment, method-assign]


CASES = [
    (GlobalNoise, "test_the_same_seed_draws_the_same", "draw every random number from the `rng`"),
    (GlobalNoise, "test_leaves_the_global_rng_alone", "global random numbers"),
    (SeededNoise, "test_another_seed_draws_another", "two seeds drew the same"),
    (SeededNoise, "test_advances_the_rng", "do not seed or copy it"),
    (FalselyNormal, "test_samples_are_distributed_as_it_says", "`distribution` is 'normal', but"),
    (WrongLength, "test_draws_vectors", "dim"),
    (StatefulNoise, "test_keeps_its_weights", "parameters or buffers"),
    (CutNoise, "test_gradients_reach_what_it_names_as_learned", "samples have no gradient"),
    (SleepyNoise, "test_leaves_modes_as_they_were", "evaluation mode"),
    (HidingNoise, "test_attributes_leave_its_methods_alone", "self.players hides"),
    (Noise, "test_every_option_is_documented", "dim: not documented"),
]


@pytest.mark.parametrize(("part", "test", "message"), CASES)
def test_a_broken_promise_is_caught(part: type, test: str, message: str) -> None:
    check_caught(NoiseContract, part, test, message)
