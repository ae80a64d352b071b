"""The code loss: values by hand, loops, and whom its gradients reach."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk import Discriminator, Play, Verdict
from gantk.errors import FitError, OptionError, UsageError
from gantk.measures.reconstruction import read_codes
from gantk.nn import evaluating
from gantk.testing import ToyDiscriminator, ToyGenerator
from gantk_autodecoder.losses import CodeLoss

NOISE = torch.tensor([[0.0, 0.0], [1.0, 2.0]])


class Reader(Discriminator):
    """Reads codes by a function of the image, and counts how often it is asked."""

    provides = frozenset({"code"})

    def __init__(self, read: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.read = read
        self.asked = 0

    def forward(self, images: Tensor) -> Verdict:
        self.asked += 1
        return Verdict(code=self.read(images))


class Halver(nn.Module):
    """A generator whose image is half of the noise."""

    def forward(self, noise: Tensor) -> Tensor:
        return noise / 2


def play(read: Callable[[Tensor], Tensor]) -> Play:
    return Play(Reader(read), fake=NOISE / 2, noise=NOISE, generator=Halver())


@pytest.mark.parametrize(("p", "expected"), [(1, (7 + 1) / 2), (2, (5 + 1) / 2)])
@pytest.mark.parametrize("role", ["discriminator", "generator"])
def test_distance_by_hand(role: str, p: int, expected: float) -> None:
    """Codes are 3 and 4 off in the first image, 1 and 0 in the second."""
    offset = torch.tensor([[3.0, -4.0], [1.0, 0.0]])
    found = getattr(CodeLoss(p=p), role)(play(lambda images: 2 * images + offset))  # type: ignore[arg-type]
    assert found.item() == pytest.approx(0.012 * expected)


def test_the_scale_is_the_papers_and_the_weight_is_left_to_gantk() -> None:
    def term(loss: CodeLoss) -> float:
        return loss.generator(play(lambda images: 2 * images + 1)).item()

    assert term(CodeLoss(scale=0.5)) == pytest.approx(0.5 * 2**0.5)
    assert term(CodeLoss(scale=0.5, weight=9)) == term(CodeLoss(scale=0.5))
    assert CodeLoss().scale == 0.012


def test_loops_by_hand() -> None:
    """Every reading is 1 too large in each of two numbers: rounds are √2, 2√2 and 3√2 off."""
    for loops in (1, 2, 3):
        game = play(lambda images: 2 * images + 1)
        expected = 2**0.5 * sum(range(1, loops + 1)) / loops
        assert CodeLoss(loops=loops, scale=1.0).generator(game).item() == pytest.approx(expected)
        assert game.discriminator.asked == loops  # type: ignore[attr-defined]


def test_loops_begin_at_the_fake_that_the_game_has() -> None:
    game = Play(Reader(lambda images: images), fake=NOISE + 4, noise=NOISE, generator=Halver())
    codes = [NOISE + 4, (NOISE + 4) / 2]
    expected = sum((code - NOISE).abs().sum(1).mean() for code in codes) / 2
    torch.testing.assert_close(CodeLoss(p=1, loops=2, scale=1.0).discriminator(game), expected)


def toys() -> tuple[ToyDiscriminator, ToyGenerator, Tensor]:
    torch.manual_seed(0)
    return ToyDiscriminator(frozenset({"logits", "code"})), ToyGenerator(), torch.rand(4, 5)


@pytest.mark.parametrize("loops", [1, 2])
def test_both_players_are_moved(loops: int) -> None:
    discriminator, generator, noise = toys()
    fake = generator(noise)
    term = CodeLoss(loops=loops).generator(Play(discriminator, fake=fake, noise=noise, generator=generator))
    assert torch.autograd.grad(term, generator.decoder.weight, retain_graph=True)[0].any()
    assert torch.autograd.grad(term, discriminator.heads["code"].weight)[0].any()
    given = Play(discriminator, fake=fake.detach(), noise=noise, generator=generator)
    term = CodeLoss(loops=loops).discriminator(given)
    assert torch.autograd.grad(term, discriminator.heads["code"].weight)[0].any()


def test_the_gradient_through_two_rounds() -> None:
    """Against torch's own derivative of the composition, written out."""
    discriminator, generator, noise = toys()
    game = Play(discriminator, fake=generator(noise), noise=noise, generator=generator)
    (found,) = torch.autograd.grad(CodeLoss(loops=2, scale=1.0).generator(game), generator.decoder.weight)

    def composed(weight: Tensor) -> Tensor:
        def image(code: Tensor) -> Tensor:
            return torch.tanh(code @ weight.T + generator.decoder.bias).view(-1, 1, 4, 3)

        first = discriminator(image(noise)).code
        second = discriminator(image(first)).code
        distances: Tensor = sum((code - noise).square().sum(1).sqrt().mean() for code in (first, second)) / 2  # type: ignore[assignment]
        return distances

    torch.testing.assert_close(found, torch.func.grad(composed)(generator.decoder.weight.detach()))


def test_an_exact_code_has_zero_gradient() -> None:
    code = NOISE.clone().requires_grad_()
    term = CodeLoss().generator(Play(Reader(lambda images: code), fake=NOISE, noise=NOISE))
    (gradient,) = torch.autograd.grad(term, code)
    assert term.item() == 0
    assert not gradient.any()


def test_a_verdict_without_code_is_explained() -> None:
    with pytest.raises(FitError, match="has no code"):
        CodeLoss().generator(Play(ToyDiscriminator(frozenset({"logits"})), fake=torch.rand(2, 1, 4, 3), noise=NOISE))


@pytest.mark.parametrize(
    "options",
    [
        {"scale": -1.0},
        {"scale": float("nan")},
        {"loops": 0},
        {"loops": 101},
        {"weight": -0.5},
        {"weight": float("inf")},
    ],
)
def test_options_are_checked(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(options))} (is|must be)"):
        CodeLoss(**options)  # type: ignore[arg-type]


SMALL = {
    "data": "digits",
    "settings": ["stages.game.batch_size=8"],
}


@pytest.mark.parametrize("recipe", ["dcgan", "degan", "wgan-gp"])
def test_any_recipe_gets_the_code_head(recipe: str) -> None:
    widths = {"dcgan": "dcgan:width=4", "wgan-gp": "dcgan:width=4,norm=layer", "degan": "degan:widths=[8,8],fc=16"}
    model = gantk.build(recipe, noise="gaussian:dim=6", discriminator=widths[recipe], loss="code", **SMALL)
    assert model.built.spec["discriminator"]["code"] is True
    assert model.discriminator is not None
    verdict = model.discriminator(model.sample(3))
    assert verdict.code.shape == (3, 6)
    assert [player.name for player in model.built.stages[-1].players if "code" in str(player.objective)] == [
        "discriminator",
        "generator",
    ]


def test_a_discriminator_that_was_told_to_have_no_code_is_refused() -> None:
    with pytest.raises(UsageError, match="code=true"):
        gantk.build("dcgan", discriminator="dcgan:width=4,code=false", loss="code", **SMALL)


def test_the_paper_as_a_preset() -> None:
    model = gantk.build("autodecoder", data="digits", generator="dcgan:width=4", discriminator="dcgan:width=4")
    game = model.built.stages[-1]
    adam = {"optimizer": "adam", "lr": 2e-4, "eps": 1e-8, "weight_decay": 1e-5}
    assert {player.name: player.optimizer for player in game.players} == {
        "discriminator": {**adam, "betas": (0.5, 0.999)},
        "generator": {**adam, "betas": (0.4, 0.999)},
    }
    weights = {name: loss.weight for name, loss in model.losses}
    assert weights["code"] + sum(weight for name, weight in weights.items() if name != "code") == 1
    (code,) = (loss for name, loss in model.losses if name == "code")
    assert isinstance(code, CodeLoss)
    assert (code.p, code.scale, code.loops) == (2, 0.012, 1)
    assert model.built.spec["recipe"]["image_noise"] > 0
    for part in (model.generator, model.discriminator):
        assert part is not None
        deviations = [w.std().item() for name, w in part.named_parameters() if w.dim() > 1 and w.numel() > 2000]
        assert deviations == pytest.approx([0.00282] * len(deviations), rel=0.1)


def test_in_a_game_on_embeddings_the_code_is_read_off_embeddings() -> None:
    """Generated again is by the embedding's own generator, and a real image is read by way of its embedding."""
    parts = {"noise": "gaussian:dim=5", "generator": "aegan:width=4", "discriminator": "aegan:width=4"}
    model = gantk.build("embedding-game", data="digits", loss="code:loops=2", **parts)
    assert model.built.recipe is not None
    assert model.built.recipe.judged_shape(model.generator) != model.image_shape
    assert sum("code" in str(player.objective) for stage in model.built.stages for player in stage.players) >= 2
    images = torch.rand(3, 1, 28, 28) * 2 - 1
    with evaluating(model), torch.no_grad():
        assert model.discriminator is not None
        expected = model.discriminator(model.built.recipe.judged(model, images)).code
    torch.testing.assert_close(read_codes(model, images), expected, rtol=1e-4, atol=1e-5)
