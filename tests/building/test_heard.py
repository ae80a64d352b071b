"""What build finds within objectives, and what it says of losses and values that are not what they should be."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

import gantk
from gantk import Joined, Loss, Model, Play, Player, Stage, Step, Terms, registry
from gantk.building.objectives import losses_of, terms_of
from gantk.building.stage_settings import resolve_stages
from gantk.building.trial import try_stages
from gantk.errors import FitError
from gantk.recipe import Recipe
from gantk.report.summary import _stage
from gantk.schedule import Batch
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_classic.losses import NonSaturating
from gantk_classic.noise import Gaussian

SHAPE = (1, 4, 3)


class Bright(Loss):
    """How bright images are; it wants two turns."""

    settings = {"generator": {"repeats": 2}}  # noqa: RUF012

    def generator(self, play: Play) -> Tensor:
        return play.fake.mean()


class Halved:
    """Wraps an objective, and says nothing of it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {name: term / 2 for name, term in self.inner(step).items()}


@dataclass(frozen=True, slots=True)
class Slotted:
    inner: Any

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return self.inner(step)  # type: ignore[no-any-return]


def scaled(inner: Any, step: Step) -> Mapping[str, Tensor]:
    return {name: 3 * term for name, term in inner(step).items()}


def first(inner: Any, others: Any, step: Step) -> Mapping[str, Tensor]:
    return inner(step)  # type: ignore[no-any-return]


def closed_over(terms: Any) -> Any:
    def objective(step: Step) -> Mapping[str, Tensor]:
        return terms(step)  # type: ignore[no-any-return]

    return objective


def assembled(**losses: Loss) -> Model:
    torch.manual_seed(0)
    judge = ToyDiscriminator(frozenset({"logits"}), SHAPE, 5)
    return Model(Gaussian(5), ToyGenerator(SHAPE, 5), judge, losses={"game": NonSaturating(), **losses})


class Played(Recipe):
    """A game whose generator's objective is made by a function of the model's losses."""

    def __init__(self, make: Callable[[Model], Any], values: Mapping[str, Any] | None = None) -> None:
        self.make = make
        self.values = values or {}

    def stages(self, model: Model) -> list[Stage]:
        players = [
            Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator")),
            Player("generator", ("generator",), self.make(model)),
        ]
        return [Stage("game", players, values=self.values)]


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "attribute": Halved,
    "slot": Slotted,
    "twice": lambda terms: Halved(Halved(terms)),
    "container": lambda terms: Halved({"all": [terms]}["all"][0]),
    "partial": lambda terms: functools.partial(scaled, terms),
    "closure": closed_over,
    "lambda": lambda terms: lambda step: terms(step),
    "method": lambda terms: Halved(terms).__call__,
    "joined": lambda terms: Joined({"a": Halved(terms)}),
    "default": lambda terms: lambda step, terms=terms: terms(step),
    "keyword default": lambda terms: lambda step, *, terms=terms: terms(step),
    "held twice": lambda terms: Halved(functools.partial(first, terms, {"again": terms})),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_an_objective_may_wrap_terms(wrap: Callable[[Any], Any]) -> None:
    """Its losses are heard, bring their settings, and the player is written down by some name."""
    model = assembled(bright=Bright())
    stages = resolve_stages(model, Played(lambda model: wrap(Terms(model.losses, "generator"))), {})
    try_stages(model, stages)
    assert stages[0].players[1].repeats == 2
    assert len(terms_of(stages[0].players[1].objective)) == 1
    assert " at 0x" not in _stage(stages[0], 100)


def test_an_objective_may_ask_losses_itself() -> None:
    class Asks:
        def __init__(self, losses: Any) -> None:
            self.losses = losses

        def __call__(self, step: Step) -> Mapping[str, Tensor]:
            return {"bright": step["fake"].mean()}

    model = assembled(bright=Bright())
    recipe = Played(lambda model: Joined({"own": Asks(model.losses), "game": Terms(model.losses[:1], "generator")}))
    assert len(losses_of(resolve_stages(model, recipe, {})[0].players[1].objective)) == 3


def test_a_loss_that_no_objective_holds_is_told_why() -> None:
    model = assembled(bright=Bright())
    recipe = Played(lambda model: Terms(model.losses[:1], "generator"))
    with pytest.raises(
        FitError, match=r"loss 'bright' has a term for generator, but no player minimizes it: player 'gen"
    ):
        resolve_stages(model, recipe, {})


def test_an_objective_that_refers_to_the_model_holds_none_of_its_losses() -> None:
    model = assembled(bright=Bright())

    def brightness(step: Step) -> Mapping[str, Tensor]:
        return {"brightness": step["fake"].mean() * len(model.losses)}

    assert losses_of(brightness) == []


class ForACritic(Loss):
    """A term for a player that few recipes have."""

    def critic(self, play: Play) -> Tensor:
        return play.fake.mean()


def test_a_loss_for_a_player_that_is_not_there_is_told_which_there_are() -> None:
    with pytest.raises(FitError, match="'mine' has a term for critic, but the players of this recipe are discrim"):
        resolve_stages(assembled(mine=ForACritic()), Played(lambda model: Terms(model.losses[:1], "generator")), {})


class TwoSided(Loss):
    """Terms for both sides of a game, of which an option may take one away."""

    def __init__(self, *, adversarial: bool = True, alone: bool = False) -> None:
        super().__init__()
        self.adversarial = adversarial
        self.alone = alone

    def speaks_to(self, role: str) -> bool:
        return role == "generator" or not self.alone

    def discriminator(self, play: Play) -> Tensor:
        return play.fake.mean()

    def generator(self, play: Play) -> Tensor:
        return -play.fake.mean()


def minimized_by_one(loss: Loss) -> None:
    """A game whose discriminator plays by the first loss alone, and whose generator by both."""

    class OneSided(Recipe):
        def stages(self, model: Model) -> list[Stage]:
            judge = Player("discriminator", ("discriminator",), Terms(model.losses[:1], "discriminator"))
            maker = Player("generator", ("generator",), Terms(model.losses, "generator"))
            return [Stage("game", [judge, maker])]

    resolve_stages(assembled(mine=loss), OneSided(), {})


def test_only_an_adversarial_loss_with_two_sides_needs_both() -> None:
    with pytest.raises(FitError, match=r"'mine' is adversarial and needs both .* only the generator minimizes it"):
        minimized_by_one(TwoSided())
    minimized_by_one(TwoSided(adversarial=False))
    minimized_by_one(TwoSided(alone=True))


class Silent(Loss):
    """Has no role."""


class Misspelt(Loss):
    """Calls its argument otherwise."""

    def generator(self, batch: Play) -> Tensor:
        return batch.fake.mean()


class Muted(Bright):
    """Speaks to nobody as it is."""

    def speaks_to(self, role: str) -> bool:
        return False


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (
            Silent(),
            r"loss 'mine' has no role: add to Silent a public method .* generator\(self, play\)\.",
        ),
        (Misspelt(), r"generator\(batch\) would be one if its argument were called play"),
        (Muted(), "loss 'mine' has no term for any role with these options"),
    ],
)
def test_a_loss_without_roles_is_told_how_to_have_one(loss: Loss, says: str) -> None:
    with pytest.raises(FitError, match=says):
        resolve_stages(assembled(mine=loss), Played(lambda model: Terms(model.losses, "generator")), {})


def test_a_player_that_moves_what_is_not_there_is_refused() -> None:
    class Astray(Played):
        def stages(self, model: Model) -> list[Stage]:
            stages = super().stages(model)
            stages[0].players[1].moves = ("generator.decodr",)
            return stages

    with pytest.raises(FitError, match=r"moves 'generator\.decodr', but the model has no such module"):
        resolve_stages(assembled(), Astray(lambda model: Terms(model.losses, "generator")), {})


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


@pytest.mark.parametrize(("found", "kind"), [((1, 2), "tuple"), (3.0, "float"), ({"a": 1}, "dict")])
def test_a_loss_returns_a_tensor(found: Any, kind: str) -> None:
    class Odd(Loss):
        weight = 0.5

        def generator(self, play: Play) -> Any:
            return found

    model = assembled(odd=Odd())
    stages = resolve_stages(model, Played(lambda model: Terms(model.losses, "generator")), {})
    with pytest.raises(FitError, match=rf"'generator': Odd\.generator returned a {kind}; a scalar tensor or None"):
        try_stages(model, stages)


def test_terms_of_one_name_are_told_apart() -> None:
    """In one objective by number, in joined ones by theirs; each remembers for itself."""
    bright, model = Bright(), assembled()
    twice = Terms([("bright", bright), ("bright", bright), ("bright-2", bright)], "generator")
    step = model.step(Batch(torch.zeros(2, *SHAPE)))
    assert list(twice(step)) == ["bright", "bright-2", "bright-2-2"]
    assert str(twice) == "bright + bright-2 + bright-2-2"
    heavy = Bright()
    heavy.weight = 0.5
    games = {"small": Terms([("bright", bright)], "generator"), "large": Terms([("bright", heavy)], "generator")}
    joined = Joined({**games, "other": Halved(bright)})
    assert list(Joined(games)(step)) == ["small/bright", "large/bright"]
    assert str(joined) == "small/bright + 0.5·large/bright + Halved"


class Offering(gantk.Discriminator):
    """Offers to provide what a penalty needs by an option, as a subclass says whether it does."""

    offers = {"per-sample": {"norm": "layer"}}  # noqa: RUF012
    keeps = False

    def __init__(self, image_shape: gantk.parts.ImageShape, *, norm: str = "batch") -> None:
        super().__init__()
        self.inner = ToyDiscriminator(frozenset({"logits"}), image_shape)
        self.provides = frozenset({"logits", "per-sample"} if norm == "layer" and self.keeps else {"logits"})

    def forward(self, images: Tensor) -> gantk.Verdict:
        verdict: gantk.Verdict = self.inner(images)
        return verdict


class Keeping(Offering):
    keeps = True


class Inheriting(Keeping):
    """Inherits the offer and not the option."""

    def __init__(self, image_shape: gantk.parts.ImageShape) -> None:
        super().__init__(image_shape)


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (Keeping, ""),
        (
            Inheriting,
            "it inherits an offer of norm, which its constructor does not take: use --discriminator",
        ),
        (Offering, "it offers norm=layer for that, has it, and still provides logits: use --discriminator"),
    ],
)
def test_an_offer_that_does_not_hold_is_named(
    judge: type, says: str, tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed, broken = registry._entry_points()
    mine = registry.Plugin("discriminator", "mine", "gantk", "0", f"{__name__}:{judge.__name__}")
    monkeypatch.setattr(registry, "_entry_points", lambda: ((*installed, mine), broken))
    if not says:
        assert tiny(discriminator="mine", loss="wgan-gp").built.spec["discriminator"]["norm"] == "layer"
        return
    with pytest.raises(FitError, match="needs per-sample, which discriminator 'mine' does not") as e:
        tiny(discriminator="mine", loss="wgan-gp")
    assert says in str(e.value)


class Misnamed(Loss):
    """A term by another argument's name, and what every module has."""

    def generator(self, played: Play) -> Tensor:
        return played.fake.mean()

    def forward(self, images: Tensor) -> Tensor:
        return images


def test_a_loss_without_a_role_is_told_of_methods_that_nearly_are_one() -> None:
    model = assembled(misnamed=Misnamed())
    said = r"generator\(self, play\); generator\(played\) would be one if its argument were called play"
    with pytest.raises(FitError, match=said) as caught:
        resolve_stages(model, Played(lambda model: Terms(model.losses, "generator")), {})
    assert "forward" not in str(caught.value)
