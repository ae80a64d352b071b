"""A play: what is shown to the discriminator, to whom each part speaks, and what a play by hand lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import gantk
from gantk import Binding, Loss, Model, Play, Terms, Verdict
from gantk.parts import Discriminator, Part
from gantk.schedule import Batch
from gantk.testing import ToyDiscriminator, ToyGenerator, ToyNoise

SHAPE = (1, 4, 3)


class Doubled(Part):
    """Shows images twice as bright."""

    weight = 0.5

    def transform(self, images: Tensor, play: Play) -> Tensor:
        return 2 * images

    def generator(self, play: Play) -> Tensor:
        return play.fake.mean()


class Raised(Part):
    """Shows images brighter by what it remembers."""

    state = {"by": 1.0}  # noqa: RUF012

    def transform(self, images: Tensor, play: Play) -> Tensor:
        return images + play.state["by"]

    def after_discriminator(self, play: Play) -> dict[str, Tensor]:
        return {"by": play.state["by"] + 1}


class Mean(Discriminator):
    """How bright the images are that it is shown."""

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=images.mean((1, 2, 3)))


class Judged(Loss):
    """What is judged, in every way to ask for it."""

    state = {"by": 100.0}  # noqa: RUF012

    def discriminator(self, play: Play) -> Tensor:
        verdicts = (play.real_verdict, play.fake_verdict, play.judge(play.real), play.judge(play.fake))
        means = [verdict.logits.mean() for verdict in verdicts if verdict.logits is not None]
        assert play.state["by"] == 100, "a loss sees its own numbers after a verdict as well"
        return torch.stack(means).sum()


def model(judge: Discriminator | None = None, losses: dict[str, Loss] | None = None, **addons: Part) -> Model:
    torch.manual_seed(0)
    return Model(ToyNoise(), ToyGenerator(SHAPE), judge or Mean(), losses=losses or {"j": Judged()}, addons=addons)


def terms(of: Model, role: str, binding: Binding | None = None) -> dict[str, float]:
    objective = Terms(of.losses, role, binding)
    for name, part in objective.speakers(of.parts).items():
        if part.state:
            of.state.declare(objective.binding.key(name), part.state)
    step = of.step(Batch(torch.full((2, *SHAPE), 3.0)), {"fake": lambda step: torch.full((2, *SHAPE), 5.0)})
    step.begin([role])
    return {name: term.item() for name, term in objective(step).items()}


@pytest.mark.parametrize(
    ("addons", "shown"),
    [
        ({}, lambda x: x),
        ({"a": Doubled()}, lambda x: 2 * x),
        ({"a": Doubled(), "b": Raised()}, lambda x: 2 * x + 1),
        ({"a": Raised(), "b": Doubled()}, lambda x: 2 * (x + 1)),
    ],
)
def test_every_verdict_is_on_what_is_shown_in_order(addons: dict[str, Part], shown: Callable[[float], float]) -> None:
    assert terms(model(**addons), "discriminator")["j"] == 2 * (shown(3) + shown(5))


def test_a_part_that_joins_speaks_with_its_weight() -> None:
    assert terms(model(a=Doubled()), "generator") == {"addon.a": 2.5}


@pytest.mark.parametrize("slot", ["discriminator", "autoencoder"])
def test_games_of_other_parts_are_not_joined(slot: str) -> None:
    """Such as that on a generator's embeddings; games of pieces of the model's own networks are joined."""
    part = Doubled()
    assert part.joins(Binding())
    assert part.joins(Binding(**{slot: {"autoencoder": "generator"}.get(slot, slot) + ".inner"}))
    assert not part.joins(Binding(**{slot: "noise.inner"}))
    assert not part.joins(Binding(**{slot: f"{slot}s"}))
    assembled = model(a=Doubled())
    assembled.noise.critic = Mean()
    found = terms(assembled, "discriminator", Binding(discriminator="noise.critic"))
    assert found == {"j": 2 * (3 + 5)}


class Reading(Mean):
    """Reads the condition beside the images."""

    reads_condition = True

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Verdict:
        assert condition is not None
        return Verdict(logits=images.mean((1, 2, 3)) + condition[:, 0])


def test_each_of_several_images_per_condition_is_judged_by_its_own() -> None:
    condition = torch.tensor([[10.0, 0.0], [20.0, 0.0]])
    play = Play(Reading(), condition=condition)
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, *SHAPE)
    logits = play.judge(images).logits
    assert logits is not None
    assert logits.tolist() == [10, 21, 12, 23]
    assert play.conditions_of(images[:2]).tolist() == condition.tolist()
    for wrong, said in ((images[:3], "3 images cannot share 2"), (images[:1], "1 images cannot share 2")):
        with pytest.raises(ValueError, match=said):
            play.judge(wrong)
    with pytest.raises(ValueError, match="cannot share 0 conditions"):
        Play(Reading(), condition=condition[:0]).judge(images)


def test_verdicts_of_a_play_are_computed_once() -> None:
    judge = ToyDiscriminator(frozenset({"logits"}), SHAPE)
    calls: list[int] = []
    judge.register_forward_pre_hook(lambda module, given: calls.append(len(given[0])))
    play = Play(judge, real=torch.zeros(2, *SHAPE), fake=torch.zeros(3, *SHAPE))
    assert play.real_verdict is play.real_verdict
    assert play.fake_verdict is play.fake_verdict
    assert calls == [2, 3]
    play.judge(play.real)
    assert calls == [2, 3, 2]


@pytest.mark.parametrize("name", ["real", "fake", "noise", "labels", "condition"])
def test_a_play_by_hand_names_what_it_lacks(name: str) -> None:
    with pytest.raises(ValueError, match=rf"this play has no {name}; pass {name}=… to gantk\.Play"):
        getattr(Play(), name)
    given: dict[str, Any] = {name: torch.ones(2)}
    assert torch.equal(getattr(Play(**given), name), torch.ones(2))


@pytest.mark.parametrize("name", ["discriminator", "generator", "autoencoder"])
def test_a_play_by_hand_names_the_network_that_it_lacks(name: str) -> None:
    with pytest.raises(ValueError, match=f"this play has no {name}"):
        getattr(Play(), name)


def test_a_play_by_hand_tells_where_training_is() -> None:
    play = gantk.Play(state={"k": torch.tensor(2.0)}, step=7, done=0.5)
    assert (play.state["k"].item(), play.step, play.done) == (2, 7, 0.5)
    assert (Play().step, Play().done, dict(Play().state)) == (0, 0.0, {})


def test_an_autoencoder_reconstructs_what_is_real() -> None:
    generator = ToyGenerator(SHAPE)
    play = Play(autoencoder=generator, real=torch.rand(2, *SHAPE))
    torch.manual_seed(0)
    images = play.reconstruction
    torch.manual_seed(0)
    assert torch.equal(images, generator(generator.encode(play.real).sample()))
    assert play.reconstruction is images
