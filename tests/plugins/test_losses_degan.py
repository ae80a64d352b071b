"""DE-GAN's hidden-space loss against hand-computed values, and its gradients where pairs are equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gantk
from gantk import Discriminator, Play, Terms, Verdict
from gantk.construct import construct
from gantk.data import ArraySource, to_float
from gantk.errors import FitError, OptionError
from gantk.schedule import Batch, Stage, Step
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_degan.losses import HiddenSpace


class Looking(Discriminator):
    """Its hidden maps are the image itself and twice the image."""

    provides = frozenset({"hidden"})

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(hidden=(images, 2 * images))


def play(real: Tensor, fake: Tensor) -> Play:
    return Play(Looking(), real=real, fake=fake)


REAL = torch.zeros(2, 1, 2, 2)
FAKE = torch.stack([torch.tensor([[[3.0, 0.0], [4.0, 0.0]]]), torch.full((1, 2, 2), 0.5)])  # norms 5 and 1


@pytest.mark.parametrize(("layer", "expected"), [(0, 3.0), (1, 6.0), (-1, 6.0), (-2, 3.0)])
def test_distance_by_hand(layer: int, expected: float) -> None:
    found = HiddenSpace(layer=layer).generator(play(REAL, FAKE))
    assert found.item() == pytest.approx(expected)


def test_the_norm_is_over_the_whole_map_and_the_mean_over_images() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 5, 3, 4, 2, dtype=torch.float64)
    expected = ((real - fake) ** 2).sum(dim=(1, 2, 3)).sqrt().mean()
    torch.testing.assert_close(HiddenSpace(layer=0).generator(play(real, fake)), expected)


def test_the_discriminator_ascends_where_both_players_have_it() -> None:
    both = HiddenSpace(players="both").discriminator(play(REAL, FAKE))
    assert both is not None
    assert both.item() == pytest.approx(-6)
    assert HiddenSpace().discriminator(play(REAL, FAKE)) is None


def test_it_leaves_the_name_players_to_the_part() -> None:
    stage = Stage("game", [])
    assert list(HiddenSpace(players="both").players("loss.hidden", stage)) == []


def test_real_images_are_constants_to_the_generator() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    HiddenSpace().generator(play(real, fake)).backward()  # type: ignore[no-untyped-call]
    assert real.grad is None
    assert fake.grad is not None
    assert fake.grad.any()


def test_both_images_move_the_discriminator() -> None:
    discriminator = ToyDiscriminator(frozenset({"hidden"}))
    images = torch.rand(2, 3, 1, 4, 3)
    term = HiddenSpace(players="both").discriminator(Play(discriminator, real=images[0], fake=images[1]))
    assert term is not None
    (found,) = torch.autograd.grad(term, discriminator.first.weight)

    def distance(weight: Tensor) -> Tensor:
        parameters = {**dict(discriminator.named_parameters()), "first.weight": weight}
        real, fake = (torch.func.functional_call(discriminator, parameters, (x,)).hidden[-1] for x in images)
        distances: Tensor = (real - fake).square().sum(1).sqrt()
        return -distances.mean()

    torch.testing.assert_close(found, torch.func.grad(distance)(discriminator.first.weight.detach()))


def test_zero_distance_has_zero_gradient() -> None:
    fake = REAL.clone().requires_grad_()
    term = HiddenSpace().generator(play(REAL, fake))
    (gradient,) = torch.autograd.grad(term, fake)
    assert term.item() == 0
    assert torch.equal(gradient, torch.zeros_like(fake))


def test_one_equal_pair_does_not_disturb_the_others() -> None:
    fake = torch.stack([REAL[0], FAKE[0]]).requires_grad_()
    (gradient,) = torch.autograd.grad(HiddenSpace(layer=0).generator(play(REAL, fake)), fake)
    torch.testing.assert_close(gradient[1], FAKE[0] / 5 / 2)
    assert not gradient[0].any()


def test_gradcheck() -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64)
    loss = HiddenSpace(players="both")
    assert torch.autograd.gradcheck(lambda f: loss.generator(play(real, f)), (fake.requires_grad_(),))
    inputs = (real.requires_grad_(), fake)
    discriminator: Any = loss.discriminator
    assert torch.autograd.gradcheck(lambda r, f: discriminator(play(r, f)), inputs)


def test_large_half_precision_maps_do_not_overflow() -> None:
    big = torch.full((2, 1, 64, 64), 200.0, dtype=torch.float16)
    found = HiddenSpace(layer=0).generator(play(-big, big))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(400 * 64)


@pytest.mark.parametrize("layer", [2, -3])
def test_a_layer_out_of_range_is_explained(layer: int) -> None:
    with pytest.raises(OptionError, match=rf"layer={layer} is out of range.* 2 hidden maps, so expected -2 … 1"):
        HiddenSpace(layer=layer).generator(play(REAL, FAKE))


def test_a_verdict_without_maps_is_explained() -> None:
    blind = ToyDiscriminator(frozenset({"logits"}))
    with pytest.raises(FitError, match="no hidden maps"):
        HiddenSpace().generator(Play(blind, real=torch.rand(2, 1, 4, 3), fake=torch.rand(2, 1, 4, 3)))


def test_unequal_batches_are_explained() -> None:
    with pytest.raises(FitError, match=r"\[2, 1, 2, 2\] and \[1, 1, 2, 2\]"):
        HiddenSpace(layer=0).generator(play(REAL, FAKE[:1]))


def test_it_is_added_to_a_game_with_its_weight() -> None:
    torch.manual_seed(0)
    modules = torch.nn.Module()
    modules.add_module("discriminator", ToyDiscriminator(frozenset({"logits", "hidden"})))
    modules.add_module("generator", ToyGenerator())
    values = {
        "noise": lambda step: torch.ones(step.size, 5),
        "fake": lambda step: step.use("generator")(step["noise"]),
    }
    step = Step(modules, Batch(torch.rand(4, 1, 4, 3)), values)
    losses = [(name, construct("loss", name)) for name in ("nonsaturating", "hidden:weight=0.5")]
    step.begin(["discriminator"], later=["generator"])
    assert set(Terms(losses, "discriminator")(step)) == {"nonsaturating"}
    step.end()
    step.begin(["generator"])
    terms = Terms(losses, "generator")(step)
    assert set(terms) == {"nonsaturating", "hidden:weight=0.5"}
    single = Terms([("hidden", HiddenSpace(weight=1.0))], "generator")(step)["hidden"]
    torch.testing.assert_close(terms["hidden:weight=0.5"], 0.5 * single)


def test_weight_is_checked() -> None:
    with pytest.raises(OptionError, match="weight must be 0 or more"):
        HiddenSpace(weight=-0.1)


@pytest.mark.parametrize("recipe", ["degan-mnist", "degan-cifar10"])
def test_in_the_papers_recipes_it_stays_well_below_the_game(recipe: str) -> None:
    """With a weight of 0.1 it was several times the adversarial loss, and the generator collapsed."""
    shape = {"degan-mnist": (1, 28, 28), "degan-cifar10": (3, 32, 32)}[recipe]
    images = np.random.default_rng(0).integers(256, size=(4, *shape), dtype=np.uint8)
    model = gantk.build(recipe, data=ArraySource(images))
    game = model.built.stages[-1]
    torch.manual_seed(0)
    step = model.train().step(Batch(to_float(torch.from_numpy(images))), game.values)
    for player in game.players:
        step.begin(player.moves)
        terms = player.objective(step)
        assert terms["hidden"] != 0
        assert terms["hidden"].abs() < 0.25 * terms["nonsaturating"]
