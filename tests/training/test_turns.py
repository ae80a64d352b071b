"""Turns on one batch, without a run: what a later player sees of what an earlier one has moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from gantk import Model, Player, Stage, Step
from gantk.errors import Diverged, FitError
from gantk.schedule import Batch
from gantk.testing import ToyDiscriminator, ToyGenerator, ToyNoise
from gantk.training.turn import Turns

SHAPE = (1, 4, 3)
SGD = {"optimizer": "sgd", "lr": 0.5}


class Seen:
    """An objective that keeps the noise and the images that it was computed from."""

    def __init__(self, judged: bool = False) -> None:
        self.judged = judged
        self.found: list[tuple[Tensor, Tensor]] = []

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        self.found.append((step["noise"].clone(), step["fake"].detach().clone()))
        if not self.judged:
            return {"bright": step["fake"].square().mean()}
        logits = step.use("discriminator")(step["fake"]).logits
        assert logits is not None
        return {"taken": logits.square().mean()}


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model(ToyNoise(), ToyGenerator(SHAPE), ToyDiscriminator(frozenset({"logits"}), SHAPE))


def turns(model: Model, *players: Player) -> Turns:
    return Turns(Fabric(accelerator="cpu", devices=1), model, Stage("game", [*players]))


def test_who_comes_after_the_generator_sees_what_it_has_become(model: Model) -> None:
    first, second = Seen(), Seen(judged=True)
    generator = Player("generator", ("generator.decoder",), first, optimizer=SGD)
    judge = Player("discriminator", ("discriminator",), second, optimizer=SGD)
    turns(model, generator, judge).play([model.step(Batch(torch.zeros(4, *SHAPE)))])
    (noise, before), (same, after) = first.found[0], second.found[0]
    assert torch.equal(noise, same)
    assert not torch.equal(before, after)
    assert torch.equal(after, model.generator(noise).detach())


def test_who_comes_before_the_generator_sees_what_it_sees(model: Model) -> None:
    first, second = Seen(judged=True), Seen()
    judge = Player("discriminator", ("discriminator",), first, optimizer=SGD)
    generator = Player("generator", ("generator.decoder",), second, optimizer=SGD)
    turns(model, judge, generator).play([model.step(Batch(torch.zeros(4, *SHAPE)))])
    assert all(torch.equal(one, other) for one, other in zip(first.found[0], second.found[0], strict=True))


def test_a_repeated_turn_of_an_earlier_batch_moves_what_the_shared_one_shows(model: Model) -> None:
    """Noise of its own for each batch, and images of the generator as it is by then."""
    first, second = Seen(), Seen(judged=True)
    generator = Player("generator", ("generator.decoder",), first, optimizer=SGD, repeats=2)
    judge = Player("discriminator", ("discriminator",), second, optimizer=SGD)
    batches = [model.step(Batch(torch.zeros(4, *SHAPE))) for _ in range(2)]
    turns(model, generator, judge).play(batches)
    noises = [noise for noise, _ in first.found]
    assert not torch.equal(*noises)
    assert torch.equal(second.found[0][0], noises[1])
    assert torch.equal(second.found[0][1], model.generator(noises[1]).detach())


def test_every_turn_is_logged(model: Model) -> None:
    seen = Seen()
    generator = Player("generator", ("generator.decoder",), seen, optimizer=SGD, repeats=3)
    batches = [model.step(Batch(torch.zeros(4, *SHAPE))) for _ in range(3)]
    values = turns(model, generator).play(batches)
    figures = [value for turn in values for value in turn.values()]
    assert not any(isinstance(each, Tensor) and each.requires_grad for each in figures), "no graph is kept"
    assert {name for turn in values for name in turn} == {
        "generator/bright",
        "generator/objective",
        "generator/gradient_norm",
    }
    assert [float(turn["generator/bright"]) for turn in values] == pytest.approx(
        [images.square().mean().item() for _, images in seen.found]
    )


def test_a_module_that_two_paths_name_is_moved_once(model: Model) -> None:
    """By the same optimizer, though one lies within the other."""
    both = Player("generator", ("generator", "generator.decoder"), Seen(), optimizer=SGD)
    before = model.generator.decoder.weight.detach().clone()
    step = model.step(Batch(torch.zeros(4, *SHAPE)))
    turns(model, both).play([step])
    gradient = model.generator.decoder.weight.grad
    assert gradient is not None
    torch.testing.assert_close(model.generator.decoder.weight.detach(), before - 0.5 * gradient)


def weight(step: Step) -> Mapping[str, Tensor]:
    """An objective whose gradient is 1 for every weight of the decoder, of which there are 60."""
    return {"weight": step.use("generator.decoder").get_parameter("weight").sum()}


def test_each_turn_has_gradients_of_its_own_and_the_rate_of_where_training_is(model: Model) -> None:
    player = Player("generator", ("generator.decoder",), weight, optimizer=SGD, lr_schedule="linear")
    played = turns(model, player)
    parameter = model.generator.get_parameter("decoder.weight")
    for done, rate in ((0.0, 0.5), (0.5, 0.25), (0.75, 0.125)):
        before = parameter.detach().clone()
        (values,) = played.play([model.step(Batch(torch.zeros(4, *SHAPE)), done=done)])
        assert float(values["generator/gradient_norm"]) == pytest.approx(parameter.numel() ** 0.5)
        torch.testing.assert_close(parameter.detach(), before - rate)


@pytest.mark.parametrize(
    ("terms", "error", "said"),
    [
        ({}, FitError, "stage 'game': no loss has a term for player 'generator'"),
        ({"a": torch.ones(())}, FitError, "no term of player 'generator' depends on the parameters that it moves"),
        ({"a": torch.ones(1), "b": torch.tensor(torch.inf)}, Diverged, "player 'generator': b = inf"),
    ],
)
def test_a_turn_that_leads_nowhere_moves_nothing(
    terms: Mapping[str, Tensor], error: type[Exception], said: str, model: Model
) -> None:
    before = model.generator.get_parameter("decoder.weight").detach().clone()
    player = Player("generator", ("generator.decoder",), lambda step: terms, optimizer=SGD)
    with pytest.raises(error, match=said):
        turns(model, player).play([model.step(Batch(torch.zeros(4, *SHAPE)))])
    assert torch.equal(model.generator.get_parameter("decoder.weight"), before)


def test_a_player_that_a_part_brings_leaves_the_batches_and_the_buffers_of_others(model: Model) -> None:
    """Batches of its own come after those of the recipe's players, whoever's turn is first."""
    judge = model.discriminator
    assert judge is not None
    for module in (model.generator, model.generator.decoder, judge):
        module.register_buffer("turns", torch.zeros(()))
    seen: dict[str, list[Step]] = {"own": [], "brought": []}

    def playing(name: str) -> Callable[[Step], Mapping[str, Tensor]]:
        def objective(step: Step) -> Mapping[str, Tensor]:
            seen[name].append(step)
            for module in (model.generator, model.generator.decoder, judge):
                module.get_buffer("turns").add_(1)
            return {**weight(step), "judged": judge.get_parameter("first.weight").sum()}

        return objective

    moved = {"brought": "generator.decoder", "own": "discriminator"}
    players = [Player(name, (path,), playing(name), optimizer=SGD, repeats=2) for name, path in moved.items()]
    players[0].brought_by = "noise"
    one, two, shared = steps = [model.step(Batch(torch.zeros(4, *SHAPE))) for _ in range(3)]
    turns(model, *players).play([steps[0], steps[2], steps[1]])
    assert seen == {"own": [one, shared], "brought": [two, shared]}
    found = [int(module.get_buffer("turns")) for module in (model.generator, model.generator.decoder, judge)]
    assert found == [2, 4, 2], "what it moves keeps what its own turns have counted"
