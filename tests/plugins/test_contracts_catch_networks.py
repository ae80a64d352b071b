"""The contracts of generators and discriminators: each of these breaks one promise, and the suite says which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from unregistered import SHAPE, check_caught, check_honest

from gantk import Discriminator, Generator, Verdict
from gantk.testing import DiscriminatorContract, GeneratorContract
from gantk.testing.base import PluginContract


class Makes(Generator):
    """A generator."""

    def __init__(self) -> None:
        super().__init__()
        self.image_shape = SHAPE
        self.linear = nn.Linear(5, 12)

    def forward(self, noise: Tensor) -> Tensor:
        return torch.tanh(self.linear(noise)).view(-1, *SHAPE)


class Unbounded(Makes):
    def forward(self, noise: Tensor) -> Tensor:
        return 9 * super().forward(noise)


class Idle(Makes):
    def __init__(self) -> None:
        super().__init__()
        self.forgotten = nn.Linear(2, 2)


class BatchBound(Makes):
    def forward(self, noise: Tensor) -> Tensor:
        return super().forward(noise - noise.mean(0))


class Dropping(Makes):
    def forward(self, noise: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(noise, training=True))


class Cut(Makes):
    def forward(self, noise: Tensor) -> Tensor:
        return super().forward(noise) * 0.0


class Judges(Discriminator):
    """A discriminator."""

    offers: Mapping[str, Mapping[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 1)

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=self.linear(torch.tanh(images.flatten(1))).squeeze(1))


class Column(Judges):
    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=self.linear(images.flatten(1)))


class Boasting(Judges):
    provides = frozenset({"logits", "code"})


class Silent(Judges):
    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=super().forward(images).logits, hidden=(images,))


class FalsePerSample(Judges):
    provides = frozenset({"logits", "per-sample"})

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(12)

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=self.linear(self.norm(images.flatten(1))).squeeze(1))


class FalseOffer(Judges):
    offers: Mapping[str, Mapping[str, Any]] = {"hidden": {}}


class Blind(Judges):
    def forward(self, images: Tensor) -> Verdict:
        return super().forward(images.detach())


CASES: list[tuple[type[PluginContract], type, str, str]] = [
    (GeneratorContract, Unbounded, "test_stays_in_range", "tanh"),
    (GeneratorContract, Idle, "test_gradients_reach_every_parameter", "forgotten.weight, forgotten.bias"),
    (GeneratorContract, BatchBound, "test_evaluation_looks_at_one_vector_at_a_time", "other vectors"),
    (GeneratorContract, Dropping, "test_evaluation_is_deterministic", "dropout"),
    (GeneratorContract, Cut, "test_gradients_reach_every_parameter", "every gradient is zero"),
    (GeneratorContract, Cut, "test_depends_on_noise", "same image"),
    (GeneratorContract, BatchBound, "test_has_a_first_line", "no docstring"),
    (DiscriminatorContract, Column, "test_verdict_holds_what_it_provides", r"\[4, 1\]; expected \[4\]"),
    (DiscriminatorContract, Boasting, "test_verdict_holds_what_it_provides", "the two must agree"),
    (DiscriminatorContract, Silent, "test_verdict_holds_what_it_provides", "the two must agree"),
    (DiscriminatorContract, Blind, "test_gradients_reach_the_images", "do not detach them"),
    (DiscriminatorContract, FalsePerSample, "test_per_sample_is_true", "rely on 'per-sample'"),
    (DiscriminatorContract, FalseOffer, "test_offers_are_true", "provides 'hidden' with"),
]


@pytest.mark.parametrize(("base", "part", "test", "message"), CASES, ids=lambda x: getattr(x, "__name__", None))
def test_a_broken_promise_is_caught(base: type[PluginContract], part: type, test: str, message: str) -> None:
    check_caught(base, part, test, message)


@pytest.mark.parametrize(("base", "part"), [(GeneratorContract, Makes), (DiscriminatorContract, Judges)])
def test_an_honest_part_passes(base: type[PluginContract], part: type) -> None:
    check_honest(base, part)
