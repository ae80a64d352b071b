"""The trial of a build: what would fail in training is refused with its reason, and what is tried is put back."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk import Loss, Model, NoiseSource, Play, Player, Stage, Step, Terms
from gantk.building.checks import check_shapes
from gantk.building.stage_settings import resolve_stages
from gantk.building.trial import try_stages
from gantk.errors import DataError, FitError, GantkError
from gantk.parts import Condition, Discriminator, Generator, ImageShape
from gantk.recipe import Recipe
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_classic.losses import NonSaturating
from gantk_classic.noise import Gaussian
from gantk_classic.recipe import Game

Build = Callable[..., Model]
SHAPE: ImageShape = (1, 4, 3)


def assembled(
    loss: Loss | None = None,
    *,
    noise: NoiseSource | None = None,
    generator: Generator | None = None,
    discriminator: Discriminator | None = None,
) -> Model:
    """A model of toys, with a loss beside the game's."""
    torch.manual_seed(0)
    losses: dict[str, Loss] = {"game": NonSaturating()}
    if loss is not None:
        losses["mine"] = loss
    judge = discriminator or ToyDiscriminator(frozenset({"logits"}), SHAPE, 5)
    return Model(noise or Gaussian(5), generator or ToyGenerator(SHAPE, 5), judge, losses=losses)


def tried(model: Model, settings: Mapping[str, Any] | None = None, **more: Any) -> None:
    try_stages(model, resolve_stages(model, Game(), {"game": settings or {}}), **more)


def refusal(model: Model, settings: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(GantkError) as caught:
        tried(model, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Scaled(Loss):
    """k · E D(G(z)), where k grows, as a subclass says how."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.ones(()))
        self.k: Tensor

    def generator(self, play: Play) -> Tensor:
        assert play.fake_verdict.logits is not None
        term: Tensor = self.k * play.fake_verdict.logits.mean()
        self.grow(term)
        return term

    def grow(self, term: Tensor) -> None:
        """Change k."""


class InPlace(Scaled):
    def grow(self, term: Tensor) -> None:
        self.k.add_(0.5)


class Attached(Scaled):
    def grow(self, term: Tensor) -> None:
        self.k = 0.9 * self.k + 0.1 * term


class Detached(Scaled):
    def grow(self, term: Tensor) -> None:
        self.k = 0.9 * self.k + 0.1 * term.detach()


class Of(Loss):
    """A term made of the generated images by a function."""

    def __init__(self, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.make = make

    def generator(self, play: Play) -> Any:
        return self.make(play.fake)


def neighbors(images: Tensor) -> Tensor:
    if len(images) < 6:
        raise ValueError("5 neighbors need 6 images")
    return torch.cdist(images.flatten(1), images.flatten(1)).topk(6, largest=False).values.mean()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (InPlace(), r"player 'generator': term 'mine' changes a tensor in place .* make a new one"),
        (Attached(), r"player 'generator': term 'mine' keeps a tensor with its graph .* detach it"),
        (Of(lambda images: images.sub(images).log().sum()), r"term 'mine' is -inf on \d+ random images"),
        (Of(lambda images: (images * 0).sqrt().sum()), r"the gradient of generator.decoder.weight is NaN"),
        (Of(lambda images: images.mean(0)), r"term 'mine' is a tensor \[1, 4, 3\]; expected a scalar tensor"),
        (Of(lambda images: images.view(7, -1).mean()), r"in loss.mine, by RuntimeError: shape '\[7, -1\]' is invalid"),
    ],
)
def test_what_would_fail_in_training_is_refused(loss: Loss, says: str) -> None:
    assert re.search(says, refusal(assembled(loss)))


def test_state_that_is_kept_without_its_graph_is_fine() -> None:
    model = assembled(Detached())
    tried(model)
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_a_loss_may_need_more_images_than_a_trial_has() -> None:
    tried(assembled(Of(neighbors)), {"batch_size": 8})
    assert "batch of 5, in loss.mine, by ValueError: 5 neighbors" in refusal(
        assembled(Of(neighbors)), {"batch_size": 5}
    )


def test_a_batch_that_devices_share_is_tried_as_they_see_it() -> None:
    with pytest.raises(FitError, match=r"on a batch of 4, in loss\.mine"):
        tried(assembled(Of(neighbors)), {"batch_size": 8}, devices=2)


def test_an_optimizer_that_cannot_move_its_player_is_refused() -> None:
    said = refusal(assembled(), {"generator": {"optimizer": "sparseadam"}})
    assert "stages.game.generator.optimizer=sparseadam: SparseAdam does not support dense gradients" in said


def test_a_step_that_ruins_its_weights_is_refused() -> None:
    bright = Of(lambda images: 1e3 * images.sum())
    said = refusal(assembled(bright), {"generator": {"optimizer": "sgd", "lr": 1e38}})
    assert "generator.decoder.weight is NaN or infinite after one step; choose a smaller lr" in said


class Looked(Generator):
    """Images from a table, which gradients reach sparsely."""

    def __init__(self) -> None:
        super().__init__()
        self.image_shape = SHAPE
        self.table = nn.Embedding(3, 12, sparse=True)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = torch.tanh(self.table((noise[:, 0] > 0).long()))
        return images.view(-1, *SHAPE)


@pytest.mark.parametrize("optimizer", ["adam", "sparseadam", "sgd"])
def test_sparse_gradients_are_refused_whatever_the_optimizer(optimizer: str) -> None:
    settings = {"generator": {"optimizer": optimizer, "lr": 0.1}}
    assert "the gradient of generator.table.weight is sparse" in refusal(assembled(generator=Looked()), settings)


class Remembering(ToyDiscriminator):
    """Changes all that a module can hold."""

    def __init__(self) -> None:
        super().__init__(frozenset({"logits"}), SHAPE, 5)
        self.norm = nn.BatchNorm1d(8)
        self.register_buffer("count", torch.zeros(()))
        self.count: Tensor
        self.calls = 0
        self.seen: list[float] = []
        self.plain = torch.zeros(2)
        self.drawn = torch.Generator().manual_seed(3)

    def forward(self, images: Tensor) -> gantk.Verdict:
        self.calls += 1
        self.count = self.count + 1
        self.seen.append(float(torch.rand((), generator=self.drawn)))
        self.plain.add_(1)
        self.later = images
        hidden = self.norm(torch.tanh(self.first(images.flatten(1))))
        return gantk.Verdict(logits=self.heads["logits"](torch.tanh(self.second(hidden))).squeeze(1))


def test_all_that_a_trial_changes_is_put_back() -> None:
    judge = Remembering()
    model = assembled(Detached(), discriminator=judge)
    model.discriminator.eval()
    frozen = next(model.generator.parameters()).requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, state = [each.training for each in model.modules()], judge.drawn.get_state()
    tried(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [each.training for each in model.modules()] == modes
    assert (judge.calls, judge.seen, judge.plain.tolist()) == (0, [], [0, 0])
    assert torch.equal(judge.drawn.get_state(), state)
    assert not hasattr(judge, "later")
    assert not frozen.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_refused_trial_is_put_back_too() -> None:
    model = assembled(InPlace())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    refusal(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_build_leaves_every_random_generator_alone(tiny: Build) -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    expected = torch.rand(()), np.random.rand(), random.random()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    tiny()
    assert (torch.rand(()), np.random.rand(), random.random()) == expected


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
    for noise, name in ((Means(("means",), spread=True), "spread"), (Mapped(), "second.weight")):
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


class Tripped:
    """An objective that returns what it should not."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def __call__(self, step: Step) -> Any:
        return self.found

    def __str__(self) -> str:
        return "tripped"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (torch.ones(()), r"its objective returned a tensor \[\]; expected name → term"),
        ({"x": 3.0}, "term 'x' is a float; expected a scalar tensor"),
        ({"x": torch.ones(2)}, r"term 'x' is a tensor \[2\]; expected a scalar tensor"),
        ({"x": torch.ones(()) * 1j}, r"term 'x' is a tensor \[\] of complex64; expected a scalar tensor"),
        ({"x": torch.ones(())}, "has no term that depends on what it moves"),
        ({}, "has no term that depends on what it moves"),
    ],
)
def test_an_objective_returns_terms(found: Any, says: str) -> None:
    with pytest.raises(FitError, match=says):
        try_stages(assembled(), [Stage("game", [Player("generator", ("generator",), Tripped(found))])])


def test_a_player_that_no_gradient_reaches_is_refused() -> None:
    """A term that only a later player's parameters move."""

    class Brightness(Tripped):
        def __call__(self, step: Step) -> Any:
            return {"brightness": step.use("generator")(step["noise"]).mean()}

    players = [
        Player("discriminator", ("discriminator",), Brightness(None)),
        Player("generator", ("generator",), Brightness(None)),
    ]
    with pytest.raises(FitError, match="player 'discriminator' has no term that depends on what it moves"):
        try_stages(assembled(), [Stage("game", players)])


class By:
    """An objective that is a function of the step."""

    def __init__(self, term: Callable[[Step], Tensor]) -> None:
        self.term = term

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {"x": self.term(step)}


def shade(step: Step) -> Tensor:
    images: Tensor = step.use("generator")(step["noise"])
    return images.mean()


def sharpness(step: Step) -> Tensor:
    judge = step.use("discriminator")
    weights: Tensor = judge.first.weight.sum() + judge.second.bias.sum()
    return weights


def test_each_player_is_tried_with_gradients_of_its_own() -> None:
    """Those that another player left on the same module are none."""
    players = [
        Player("generator", ("generator",), By(shade)),
        Player("idle", ("generator",), By(sharpness)),
        Player("discriminator", ("discriminator",), By(sharpness)),
    ]
    with pytest.raises(FitError, match="player 'idle' has no term that depends on what it moves"):
        try_stages(assembled(), [Stage("game", players)])


def test_the_parameter_that_goes_wrong_is_named() -> None:
    def root(step: Step) -> Tensor:
        return sharpness(step) + (0 * step.use("discriminator").second.weight).sqrt().sum()

    with pytest.raises(
        FitError, match=r"the gradient of discriminator\.second\.weight is NaN or infinite on 32 random"
    ):
        try_stages(assembled(), [Stage("game", [Player("judge", ("discriminator",), By(root))], batch_size=64)])


def test_an_error_of_gantk_keeps_its_words() -> None:
    def gone(step: Step) -> Tensor:
        raise DataError("the drive is gone.")

    with pytest.raises(DataError, match=r"^the drive is gone\.$"):
        try_stages(assembled(), [Stage("game", [Player("judge", ("discriminator",), By(gone))])])


def test_more_images_are_tried_on_a_model_as_it_was() -> None:
    """What an attempt on few images changed is put back first, and the stages before are entered anew."""

    class Counting(Loss):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def generator(self, play: Play) -> Tensor:
            self.calls += 1
            assert self.calls == 1, "not as it was"
            return neighbors(play.fake) * play.fake.new_tensor(model.generator.scale)

    def enter(model: Model) -> None:
        model.generator.scale = 2.0  # type: ignore[assignment]

    model = assembled(Counting())
    (game,) = resolve_stages(model, Game(), {"game": {"batch_size": 8}})
    try_stages(model, [Stage("before", [Player("generator", ("generator",), By(shade))], enter=enter), game])
    assert not hasattr(model.generator, "scale")


def test_what_a_stage_does_not_move_is_in_evaluation_mode_and_frozen() -> None:
    seen = []

    def watched(step: Step) -> Tensor:
        parts = [model.generator, model.discriminator]
        seen.append([(part.training, next(part.parameters()).requires_grad) for part in parts])
        return shade(step)

    model = assembled().train()
    try_stages(model, [Stage("game", [Player("generator", ("generator",), By(watched))])])
    assert seen == [[(True, True), (False, False)]]


def test_a_trial_returns_what_is_moved() -> None:
    model = assembled()
    model.generator.unused = nn.Linear(2, 2)
    players = [
        Player("generator", ("generator",), By(shade)),
        Player("judge", ("discriminator",), By(sharpness), optimizer={"optimizer": "sgd", "lr": 0}),
    ]
    assert try_stages(model, [Stage("game", players)]) == {"generator.decoder.weight", "generator.decoder.bias"}


def stages_alike(term: Callable[[Step], Tensor]) -> list[Stage]:
    """Three stages of the same players, each of which says its name to the generator."""

    def says(name: str) -> Callable[[Model], None]:
        return lambda model: setattr(model.generator, "stage", name)

    players = [Player("judge", ("discriminator",), By(sharpness)), Player("generator", ("generator",), By(term))]
    return [Stage(name, players, enter=says(name)) for name in ("first", "second", "third")]


def test_of_stages_alike_all_have_their_terms_and_two_their_gradients() -> None:
    terms, gradients = [], []

    def watched(step: Step) -> Tensor:
        term, stage = shade(step), str(step.use("generator").stage)
        terms.append(stage)
        term.register_hook(lambda gradient: gradients.append(stage))
        return term

    try_stages(assembled(), stages_alike(watched))
    assert terms == ["first", "second", "third"]
    assert gradients == ["first", "third"]
    stages = stages_alike(watched)
    stages[1].players = [replace(player, optimizer={"optimizer": "adam", "lr": 1e-3}) for player in stages[1].players]
    gradients.clear()
    try_stages(assembled(), stages)
    assert gradients == ["first", "second", "third"]


def test_a_stage_that_cannot_be_entered_says_why() -> None:
    def enter(model: Model) -> None:
        raise ValueError("there is no such layer")

    for stage in (Stage("second", [], enter=enter), Stage("second", [], each=lambda model, done: enter(model))):
        with pytest.raises(FitError, match="stage 'second' cannot be entered: ValueError: there is no such layer"):
            try_stages(assembled(), [stage])


def test_an_optimizer_that_cannot_be_made_says_why() -> None:
    player = Player("generator", ("generator",), By(shade), optimizer={"optimizer": "adam", "lr": -1.0})
    with pytest.raises(FitError, match=r"player 'generator': optimizer adam: Invalid learning rate: -1\.0"):
        try_stages(assembled(), [Stage("game", [player])])


def test_images_of_a_trial_are_as_in_training() -> None:
    """Float in [-1, 1], of both signs, with the labels of the data."""
    batches = []

    def watched(step: Step) -> Tensor:
        batches.append((step["real"], step["labels"]))
        return shade(step)

    game = Stage("game", [Player("generator", ("generator",), By(watched))])
    try_stages(assembled(), [game], torch.tensor([3]))
    ((images, labels),) = batches
    assert images.shape == (2, *SHAPE)
    assert -1 <= images.min() < -0.5 < 0.5 < images.max() <= 1
    assert labels.tolist() == [3, 3]


class Counted(Loss):
    """Remembers a number, and what comes after it."""

    state = {"k": 1.0}  # noqa: RUF012

    def __init__(self, after: float) -> None:
        super().__init__()
        self.after = after

    def generator(self, play: Play) -> Tensor:
        return play.fake.mean()

    def after_generator(self, play: Play) -> Mapping[str, Tensor | float]:
        return {"k": self.after}


def test_a_state_that_is_no_number_is_refused() -> None:
    tried(assembled(Counted(2.0)))
    said = refusal(assembled(Counted(float("nan"))), {"batch_size": 4})
    assert said == "stage 'game', player 'generator': state k of mine is nan after 4 random images."
