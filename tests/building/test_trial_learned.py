"""The trial of a build: who moves what is learned, and what a recipe reads and judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trials import SHAPE, By, assembled, refusal, tried

from gantk import Model, NoiseSource, Player, Stage, Step, Terms
from gantk.building.checks import check_shapes
from gantk.building.stage_settings import resolve_stages
from gantk.building.trial import try_stages
from gantk.errors import FitError
from gantk.parts import Condition, Generator, ImageShape
from gantk.recipe import Recipe
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_classic.noise import Gaussian
from gantk_classic.recipe import Game


class Means(NoiseSource):
    """Learned means, declared or not, and a spread that may be learned too."""

    def __init__(self, learned: tuple[str, ...] = (), spread: bool = False) -> None:
        super().__init__()
        self.dim = 5
        self.means = nn.Embedding(3, 5)
        self.spread = nn.Parameter(torch.ones(5)) if spread else 1.0
        self.learned = learned

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        which = (3 * self.draw_uniform(n, rng=rng)).long()
        drawn: Tensor = self.means(which) + self.spread * self.draw_normal(n, 5, rng=rng)
        return drawn


def test_a_noise_that_is_learned_says_what_of_it() -> None:
    tried(assembled(noise=Means(("means",))))
    tried(assembled(noise=Means(("",), spread=True)))
    tried(assembled(noise=Means()))
    tried(assembled(noise=Means(spread=True)))
    refused = ((Means(("means",), spread=True), "spread"), (Mapped(), "second.weight"), (Shifted(), "shift"))
    for noise, name in refused:
        said = refusal(assembled(noise=noise))
        assert said.endswith(
            f"its parameter '{name}', which no player moves: name its module in `learned`, or make it a buffer."
        )


class Mapped(NoiseSource):
    """Noise drawn through two layers, of which it declares the first."""

    learned = ("first",)

    def __init__(self) -> None:
        super().__init__()
        self.dim = 5
        self.first = nn.Linear(5, 5)
        self.second = nn.Linear(5, 5)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        drawn: Tensor = self.second(self.first(self.draw_normal(n, 5, rng=rng)))
        return drawn


class Shifted(Mapped):
    """Noise with a constant, a parameter that it does not use, and one that it uses."""

    def __init__(self) -> None:
        super().__init__()
        self.second.requires_grad_(False)
        self.other = nn.Parameter(torch.zeros(5))
        self.shift = nn.Parameter(torch.zeros(5))

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.shift + super().sample(n, rng)


def brightness(step: Step) -> Tensor:
    scores: Tensor = step["scores"]
    return scores.mean()


def bias(step: Step) -> Tensor:
    numbers: Tensor = step.use("generator").decoder.bias
    return numbers.sum()


@pytest.mark.parametrize(("role", "term"), [("discriminator", brightness), ("generator", bias)])
def test_a_learned_noise_is_moved_by_nobody_where_it_moves_nobody(role: str, term: Callable[[Step], Tensor]) -> None:
    """A stage may train on samples that it does not pass gradients to, or without any."""
    model = assembled(noise=Means())
    values = {"scores": lambda step: step.use("discriminator")(step["fake"]).logits}
    assert try_stages(model, [Stage("fit", [Player(role, (role,), By(term))], values=values)])


class Embedded(Condition):
    """A vector of each class, that is learned."""

    def __init__(self, learned: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.dim = 2
        self.table = nn.Embedding(3, 2)
        self.learned = learned

    def of(self, labels: Tensor) -> Tensor:
        vectors: Tensor = self.table(labels)
        return vectors

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return self.of(torch.zeros(n, dtype=torch.long))

    def told(self, text: str) -> Tensor:
        return self.of(torch.tensor([int(text)]))


@pytest.mark.parametrize(
    ("learned", "says"),
    [((), "name its module in `learned`"), (("table",), "this recipe moves nothing that a condition learns")],
)
def test_a_condition_that_is_learned_says_what_of_it(learned: tuple[str, ...], says: str) -> None:
    model = Model(Gaussian(5), ToyGenerator(SHAPE, 7), None, condition=Embedded(learned))
    with pytest.raises(
        FitError, match=f"carry gradients to its parameter 'table.weight', which no player moves: {says}"
    ):
        try_stages(
            model,
            [Stage("fit", [Player("generator", ("generator",), By(lambda step: step["fake"].mean()))])],
            torch.tensor([0, 1, 2]),
        )


def test_a_condition_that_learns_nothing_needs_no_labels() -> None:
    model = Model(Gaussian(5), ToyGenerator(SHAPE, 7), None, condition=Embedded().requires_grad_(False))
    assert try_stages(model, [Stage("fit", [Player("generator", ("generator",), By(bias))])])


def test_a_noise_whose_parameters_are_constants_is_fine() -> None:
    noise = Means()
    noise.requires_grad_(False)
    model = assembled(noise=noise)
    tried(model)
    assert not any(parameter.requires_grad for parameter in model.noise.parameters())


@pytest.mark.parametrize("learned", [(), ("means",)])
def test_a_learned_noise_in_a_recipe_that_does_not_move_it_is_refused(learned: tuple[str, ...]) -> None:
    model = assembled(noise=Means(learned))

    class Plain(Recipe):
        def stages(self, model: Model) -> Sequence[Stage]:
            roles = ("discriminator", "generator")
            return [Stage("game", [Player(role, (role,), Terms(model.losses, role)) for role in roles])]

    with pytest.raises(FitError, match="this recipe moves nothing that a noise learns"):
        try_stages(model, resolve_stages(model, Plain(), {}))


class Labeled(Game):
    """A game that reads labels, as a subclass says where."""

    def stages(self, model: Model) -> Sequence[Stage]:
        (game,) = super().stages(model)
        game.values = {"fake": lambda step: step["labels"].float().mean() + step.use("generator")(step["noise"])}
        return [game]


def test_labels_are_asked_of_data_that_has_them() -> None:
    model = assembled()
    stages = resolve_stages(model, Labeled(), {})
    try_stages(model, stages, torch.tensor([0, 1, 1]))
    with pytest.raises(
        FitError,
        match=r"stage 'game', player 'discriminator': this step reads labels, but this data set has none: choose",
    ):
        try_stages(model, stages)


class OnHalves(Game):
    """Judges half as many pixels, and may not say what makes them."""

    def judged_shape(self, generator: Generator) -> ImageShape:
        return (1, 2, 3)


class OnHalvesInFull(OnHalves):
    def judged(self, model: Model, images: Tensor) -> Tensor:
        return images[:, :, ::2]


def test_a_recipe_that_judges_something_else_says_what_makes_it() -> None:
    model = assembled(discriminator=ToyDiscriminator(frozenset({"logits"}), (1, 2, 3), 5))
    check_shapes(model, SHAPE, OnHalvesInFull())
    with pytest.raises(
        FitError, match=r"judges \[1, 2, 3\], but judged returned \[2, 1, 4, 3\] for 2 images: judged must"
    ):
        check_shapes(model, SHAPE, OnHalves())


class OnPairs(OnHalves):
    def judged(self, model: Model, images: Tensor) -> Any:
        return images, images


def test_what_is_judged_is_one_tensor() -> None:
    model = assembled(discriminator=ToyDiscriminator(frozenset({"logits"}), (1, 2, 3), 5))
    with pytest.raises(
        FitError, match=r"^recipe OnPairs: according to judged_shape, .*, but judged returned tuple for 2 images"
    ):
        check_shapes(model, SHAPE, OnPairs())
