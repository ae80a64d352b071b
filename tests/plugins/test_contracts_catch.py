"""The contracts themselves: each of these parts breaks one promise, and the suite says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from gantk import Discriminator, Generator, Loss, NoiseSource, Play, Player, Refiner, Stage, Step, Verdict
from gantk.errors import FitError
from gantk.testing import DiscriminatorContract, GeneratorContract, LossContract, NoiseContract, RefinerContract
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


class Judged:
    """What a refiner's own discriminator says: a minimisable number for real and refined images."""

    def __init__(self, path: str, sign: int) -> None:
        self.path, self.sign = path, sign

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        judge = step.use(f"{self.path}.judge")
        real, refined = (torch.tanh(judge(step[name].flatten(1))).mean() for name in ("real", "refined"))
        return {"game": self.sign * (refined - real)}

    def __str__(self) -> str:
        return "game"


class Refines(Refiner):
    """A refiner with a discriminator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(1, 1, 1)
        self.judge = nn.Linear(12, 1)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.network(images))

    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        judge = Player(f"{path}-judge", (f"{path}.judge",), Judged(path, 1), role="discriminator")
        return [judge, Player(path, (f"{path}.network",), Judged(path, -1))] if stage.adversarial else ()

    def values(self, path: str, stage: Stage) -> Mapping[str, Callable[[Step], Tensor]]:
        return {"refined": lambda step: torch.tanh(step.use(f"{path}.network")(step["fake"]))}


class RefinesAnything(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        return super().players(path, Stage("any", [], adversarial=True))


class RefinesLoudly(Refines):
    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)  # type: ignore[no-any-return]


class RefinesInPlace(Refines):
    def forward(self, images: Tensor) -> Tensor:
        images += 0.1
        return super().forward(images)


class RefinesOthers(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        players = super().players(path, stage)
        return [*players[:1], *(Player(path, ("generator",), Judged(path, -1)) for _ in players[1:])]


class RefinesThroughItself(Refines):
    """Its value uses the whole part, so that its discriminator's turn goes back through the network."""

    def values(self, path: str, stage: Stage) -> Mapping[str, Callable[[Step], Tensor]]:
        return {}


class RefinesItsSource(Refines):
    def values(self, path: str, stage: Stage) -> Mapping[str, Callable[[Step], Tensor]]:
        def refined(step: Step) -> Tensor:
            images: Tensor = torch.tanh(step.use(f"{path}.network")(step.use("generator")(step["noise"])))
            return images

        return {"refined": refined}


class RefinesUntaught(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        return super().players(path, stage)[:1]


class RefinesByName(Refines):
    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        return [Player("generator", p.moves, p.objective) for p in super().players(path, stage)]


NOISE = NoiseContract
REFINER = RefinerContract
GENERATOR = GeneratorContract
DISCRIMINATOR = DiscriminatorContract

CASES: list[tuple[type[PluginContract], type, str, str]] = [
    (NOISE, GlobalNoise, "test_the_same_seed_draws_the_same", "draw every random number from the `rng`"),
    (NOISE, GlobalNoise, "test_leaves_the_global_rng_alone", "global random numbers"),
    (NOISE, SeededNoise, "test_another_seed_draws_another", "two seeds drew the same"),
    (NOISE, SeededNoise, "test_advances_the_rng", "do not seed or copy it"),
    (NOISE, FalselyNormal, "test_samples_are_distributed_as_it_says", "`distribution` is 'normal', but"),
    (NOISE, WrongLength, "test_draws_vectors", "dim"),
    (NOISE, StatefulNoise, "test_keeps_its_weights", "parameters or buffers"),
    (NOISE, CutNoise, "test_gradients_reach_what_it_names_as_learned", "samples have no gradient"),
    (NOISE, SleepyNoise, "test_leaves_modes_as_they_were", "evaluation mode"),
    (NOISE, HidingNoise, "test_attributes_leave_its_methods_alone", "self.players hides"),
    (NOISE, Noise, "test_every_option_is_documented", "dim: not documented"),
    (GENERATOR, Unbounded, "test_stays_in_range", "tanh"),
    (GENERATOR, Idle, "test_gradients_reach_every_parameter", "forgotten.weight, forgotten.bias"),
    (GENERATOR, BatchBound, "test_evaluation_looks_at_one_vector_at_a_time", "other vectors"),
    (GENERATOR, Dropping, "test_evaluation_is_deterministic", "dropout"),
    (GENERATOR, Cut, "test_gradients_reach_every_parameter", "every gradient is zero"),
    (GENERATOR, Cut, "test_depends_on_noise", "same image"),
    (GENERATOR, BatchBound, "test_has_a_first_line", "no docstring"),
    (DISCRIMINATOR, Column, "test_verdict_holds_what_it_provides", r"\[4, 1\]; expected \[4\]"),
    (DISCRIMINATOR, Boasting, "test_verdict_holds_what_it_provides", "the two must agree"),
    (DISCRIMINATOR, Silent, "test_verdict_holds_what_it_provides", "the two must agree"),
    (DISCRIMINATOR, Blind, "test_gradients_reach_the_images", "do not detach them"),
    (DISCRIMINATOR, FalsePerSample, "test_per_sample_is_true", "rely on 'per-sample'"),
    (DISCRIMINATOR, FalseOffer, "test_offers_are_true", "provides 'hidden' with"),
    (REFINER, RefinesAnything, "test_joins_games_only", "return \\(\\) unless stage.adversarial"),
    (REFINER, RefinesLoudly, "test_stays_in_range", "tanh"),
    (REFINER, RefinesInPlace, "test_leaves_what_it_is_given_alone", "changed its input in place"),
    (REFINER, RefinesOthers, "test_its_players_move_what_is_its_own", "'generator', which is not part of the refiner"),
    (REFINER, RefinesThroughItself, "test_a_player_moves_no_other_players_parameters", "reach the refining network"),
    (REFINER, RefinesItsSource, "test_the_generator_stays_as_it_is", "which they do not move"),
    (
        REFINER,
        RefinesUntaught,
        "test_all_that_it_refines_with_is_moved",
        "no player moves network.bias, network.weight",
    ),
    (REFINER, RefinesByName, "test_its_players_move_what_is_its_own", "returned generator, generator"),
    (LossContract, Needy, "test_terms_are_scalars", "Add everything that the loss reads to `needs`"),
    (LossContract, OneSided, "test_a_game_has_two_sides", "has a term for"),
    (LossContract, Vector, "test_terms_are_scalars", "average over the batch"),
    (LossContract, Heavy, "test_weight_is_applied_once", "without the weight"),
    (LossContract, Backward, "test_only_returns_tensors", "must not call backward"),
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


@pytest.mark.parametrize(
    ("base", "part"), [(GENERATOR, Makes), (DISCRIMINATOR, Judges), (LossContract, Wins), (REFINER, Refines)]
)
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
    with pytest.raises(AssertionError, match="refuses every shape"):
        _run(suite, "test_takes_some_shape")


def test_a_plugin_that_is_not_installed_is_to_be_installed() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"there is no noise 'unregistered'.* `pip install -e \.`"):
        contract(NoiseContract, Noise)._check_installed()
