"""The trial of a build: what a player's turn is refused for, and what of a stage is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trials import SHAPE, By, assembled, neighbors, refusal, shade, sharpness, tried

from gantk import Loss, Model, Play, Player, Stage, Step
from gantk.building.stage_settings import resolve_stages
from gantk.building.trial import try_stages
from gantk.errors import DataError, FitError, WorkError
from gantk_classic.recipe import Game


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


def test_a_lack_of_memory_is_no_fault_of_a_part() -> None:
    def large(step: Step) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    with pytest.raises(WorkError, match=r"player 'generator': there is not enough memory .* for a batch of"):
        try_stages(assembled(), [Stage("game", [Player("generator", ("generator",), large)])])


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


@pytest.mark.parametrize(("failures", "sizes"), [(0, [2]), (1, [2, 8]), (2, [2, 8, 8])])
def test_a_stage_has_a_second_chance(failures: int, sizes: list[int]) -> None:
    """After two failures it is refused, even if it then works, when its terms are tried one by one."""
    tried = []

    def unsure(step: Step) -> Tensor:
        tried.append(step.size)
        if len(tried) <= failures:
            raise ValueError("bad luck")
        return shade(step)

    stages = [Stage("game", [Player("generator", ("generator",), By(unsure))], batch_size=8)]
    if failures == 2:
        with pytest.raises(FitError, match="fails on a batch of 8 by ValueError: bad luck"):
            try_stages(assembled(), stages)
    else:
        try_stages(assembled(), stages)
    assert tried == sizes


def test_players_that_move_the_same_module_share_no_values() -> None:
    """What the first computed is of weights that it has moved since."""
    values = {"scores": lambda step: step.use("discriminator")(step["real"]).logits}
    players = [Player(name, ("discriminator",), By(lambda step: step["scores"].mean())) for name in ("one", "other")]
    assert try_stages(assembled(), [Stage("game", players, values=values)])


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


def test_a_stage_that_is_refused_on_entry_keeps_its_words() -> None:
    def enter(model: Model) -> None:
        raise FitError("the generator has no layer of 4 pixels", "choose another --generator")

    with pytest.raises(FitError, match=r"^the generator has no layer of 4 pixels: choose another --generator\.$"):
        try_stages(assembled(), [Stage("second", [], enter=enter)])


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
