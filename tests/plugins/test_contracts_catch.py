"""The contracts themselves: each of these parts breaks one promise, and the suite says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from gantk import Discriminator, Generator, Loss, NoiseSource, Play, Verdict
from gantk.errors import FitError
from gantk.testing import DiscriminatorContract, GeneratorContract, LossContract, NoiseContract
from gantk.testing.base import PluginContract

SHAPE = (1, 4, 3)


def contract(base: type[PluginContract], part: type) -> Any:
    """A contract suite for a class that is not registered."""

    class Suite(base):  # type: ignore[valid-type, misc]
        plugin = "unregistered"
        shapes = (SHAPE,)
        noise_dim = 5
        _factory = part

        def _make(self, seed: int = 0, options: dict[str, Any] | None = None, **context: Any) -> Any:
            torch.manual_seed(seed)
            return part(**(options or {}))

    return Suite()


class Noise(NoiseSource):
    """Noise."""

    def __init__(self, dim: int = 5) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, generator=generator)


class GlobalNoise(Noise):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, self.dim)


class SeededNoise(Noise):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, self.dim, generator=torch.Generator().manual_seed(0))


class WrongLength(Noise):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim + 1, generator=generator)


class StatefulNoise(Noise):
    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.randn(5)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return super().sample(n, generator) + self.shift


class LearnedNoise(Noise):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return super().sample(n, generator) * self.scale


class SleepyNoise(Noise):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        self.eval()
        return super().sample(n, generator)


class HidingNoise(Noise):
    def __init__(self) -> None:
        super().__init__()
        self.players = 3  # type: ignore[assignment, method-assign]


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

    offers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

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
    offers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"hidden": {}}


class Blind(Judges):
    def forward(self, images: Tensor) -> Verdict:
        return super().forward(images.detach())


class Wins(Loss):
    """A loss.

    Args:
        weight: its factor.
    """

    adversarial = True
    needs = frozenset({"logits"})

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def discriminator(self, play: Play) -> Tensor:
        assert play.real_verdict.logits is not None
        return -play.real_verdict.logits.mean()

    def generator(self, play: Play) -> Tensor:
        assert play.fake_verdict.logits is not None
        return -play.fake_verdict.logits.mean()


class Needy(Wins):
    needs = frozenset()


class OneSided(Wins):
    def discriminator(self, play: Play) -> Tensor | None:  # type: ignore[override]
        return None


class Vector(Wins):
    def generator(self, play: Play) -> Tensor:
        return super().generator(play).expand(3)


class Heavy(Wins):
    def generator(self, play: Play) -> Tensor:
        return self.weight * super().generator(play)


class Backward(Wins):
    def generator(self, play: Play) -> Tensor:
        term = super().generator(play)
        torch.autograd.backward(term, retain_graph=True)
        return term


class Constant(Wins):
    def generator(self, play: Play) -> Tensor:
        return super().generator(play).detach()


class Ambitious(Wins):
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"discriminator": {"repeat": 5}}


class Unweighted(Wins):
    """A loss.

    Args:
        factor: nobody reads it.
    """

    def __init__(self, factor=1.0) -> None:  # type: ignore[no-untyped-def]
        super().__init__()


NOISE = NoiseContract
GENERATOR = GeneratorContract
DISCRIMINATOR = DiscriminatorContract

CASES: list[tuple[type[PluginContract], type, str, str]] = [
    (NOISE, GlobalNoise, "test_the_same_seed_draws_the_same", "draw every random number from the `generator`"),
    (NOISE, GlobalNoise, "test_leaves_the_global_generator_alone", "global random numbers"),
    (NOISE, SeededNoise, "test_another_seed_draws_another", "two seeds drew the same"),
    (NOISE, SeededNoise, "test_goes_on_from_where_the_generator_is", "do not seed it again"),
    (NOISE, WrongLength, "test_draws_vectors", "dim"),
    (NOISE, StatefulNoise, "test_keeps_its_weights", "parameters or buffers"),
    (NOISE, LearnedNoise, "test_draws_constants", "no_grad"),
    (NOISE, SleepyNoise, "test_leaves_modes_as_they_were", "evaluation mode"),
    (NOISE, HidingNoise, "test_attributes_leave_its_methods_alone", "self.players hides"),
    (NOISE, Noise, "test_every_option_is_documented", "dim: no line of documentation"),
    (GENERATOR, Unbounded, "test_stays_in_range", "tanh"),
    (GENERATOR, Idle, "test_gradients_reach_every_parameter", "forgotten.weight, forgotten.bias"),
    (GENERATOR, BatchBound, "test_evaluation_looks_at_one_vector_at_a_time", "other vectors"),
    (GENERATOR, Dropping, "test_evaluation_is_deterministic", "dropout"),
    (GENERATOR, Cut, "test_gradients_reach_every_parameter", "every gradient is zero"),
    (GENERATOR, Cut, "test_depends_on_noise", "same image"),
    (GENERATOR, BatchBound, "test_has_a_first_line", "no docstring"),
    (DISCRIMINATOR, Column, "test_verdict_holds_what_it_provides", r"\[4, 1\]; \[4\] is expected"),
    (DISCRIMINATOR, Boasting, "test_verdict_holds_what_it_provides", "the two must agree"),
    (DISCRIMINATOR, Silent, "test_verdict_holds_what_it_provides", "the two must agree"),
    (DISCRIMINATOR, Blind, "test_gradients_reach_the_images", "do not detach them"),
    (DISCRIMINATOR, FalsePerSample, "test_per_sample_is_true", "claims 'per-sample'"),
    (DISCRIMINATOR, FalseOffer, "test_offers_are_true", "provide 'hidden'"),
    (LossContract, Needy, "test_terms_are_scalars", "Name everything that it reads in `needs`"),
    (LossContract, OneSided, "test_a_game_has_two_sides", "speaks to"),
    (LossContract, Vector, "test_terms_are_scalars", "average over the batch"),
    (LossContract, Heavy, "test_weight_is_applied_once", "unweighted"),
    (LossContract, Backward, "test_only_returns_tensors", "never calls backward"),
    (LossContract, Constant, "test_terms_move_their_player", "has no gradient"),
    (LossContract, Ambitious, "test_settings_are_known", "'repeat'"),
    (LossContract, Unweighted, "test_has_a_weight", "weight: float = 1.0"),
    (LossContract, Unweighted, "test_every_option_has_a_type", "factor: no type"),
]


def _run(suite: Any, name: str) -> None:
    test: Callable[..., None] = getattr(suite, name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shaped = "shape" in test.__code__.co_varnames[: test.__code__.co_argcount]
        test(*([SHAPE] if shaped else []))


@pytest.mark.parametrize(("base", "part", "test", "message"), CASES, ids=lambda x: getattr(x, "__name__", None))
def test_a_broken_promise_is_caught(base: type[PluginContract], part: type, test: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        _run(contract(base, part), test)


@pytest.mark.parametrize(("base", "part"), [(GENERATOR, Makes), (DISCRIMINATOR, Judges), (LossContract, Wins)])
def test_an_honest_part_passes(base: type[PluginContract], part: type) -> None:
    suite = contract(base, part)
    for name in (name for name in dir(suite) if name.startswith("test_")):
        try:
            _run(suite, name)
        except pytest.skip.Exception:
            continue


def test_refusals_are_skipped_but_not_all_of_them() -> None:
    class Refuses(Makes):
        def __init__(self) -> None:
            raise FitError("never")

    suite = contract(GENERATOR, Refuses)
    with pytest.raises(pytest.skip.Exception, match="refused: never"):
        _run(suite, "test_makes_images")
    with pytest.raises(AssertionError, match="every shape is refused"):
        _run(suite, "test_takes_some_shape")
