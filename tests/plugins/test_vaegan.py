"""VAE/GAN: its networks, the learned similarity, and who moves on which images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from small import small_parts
from torch import Tensor, nn
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import Discriminator, Play, Verdict
from gantk.data import ArraySource, to_float
from gantk.errors import FitError, OptionError
from gantk.schedule import Batch, Player
from gantk.testing import DiscriminatorContract, GeneratorContract, LossContract
from gantk.training.turn import Turns
from gantk_classic.mlp import MLPGenerator
from gantk_vaegan.losses import LearnedSimilarity
from gantk_vaegan.networks import VAEGANDiscriminator, VAEGANGenerator


class TestVAEGANGenerator(GeneratorContract):
    plugin = "vaegan:width=2"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestVAEGANDiscriminator(DiscriminatorContract):
    plugin = "vaegan:width=2"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestVAEGANDiscriminatorPerSample(DiscriminatorContract):
    plugin = "vaegan:width=2,norm=layer,code=true"
    shapes = ((3, 33, 17),)


class TestLearnedSimilarity(LossContract):
    plugin = "learned-similarity"


def _layers(network: nn.Module) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for m in network.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            found.append((m.out_channels, m.kernel_size[0], m.stride[0]))
        elif isinstance(m, nn.Linear):
            found.append((m.out_features,))
    return found


def test_networks_are_the_papers() -> None:
    """At 64x64, layer by layer; the code layer has a mean and a log-variance of 128 each."""
    generator, judge = VAEGANGenerator((3, 64, 64), 128), VAEGANDiscriminator((3, 64, 64), 128).eval()
    assert _layers(generator.encoder) == [(64, 5, 2), (128, 5, 2), (256, 5, 2), (2048,), (256,)]
    assert _layers(generator.decoder) == [(8 * 8 * 256,), (256, 5, 2), (128, 5, 2), (32, 5, 2), (3, 5, 1)]
    assert _layers(judge) == [(32, 5, 1), (128, 5, 2), (256, 5, 2), (256, 5, 2), (512,), (1,)]
    assert isinstance(generator.decoder[-1], nn.Tanh)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in judge.modules()) == 3
    with torch.no_grad():
        assert judge(torch.zeros(1, 3, 64, 64)).hidden[-1].shape == (1, 256, 8, 8)


class Halves(Discriminator):
    """Two hidden maps: the image, and half of it."""

    provides = frozenset({"logits", "hidden"})

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=images.flatten(1).sum(dim=1), hidden=(images, images / 2))


@pytest.mark.parametrize(("layer", "expected"), [(-1, 0.5 * 4 * 0.25), (0, 0.5 * 4 * 1.0)])
def test_similarity_by_hand(layer: int, expected: float) -> None:
    """Four pixels that differ by 1, which the second map halves."""
    real, fake = torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    loss, play = LearnedSimilarity(layer=layer, gamma=0.25), Play(Halves(), real=real, fake=fake)
    assert loss.encoder(play).item() == pytest.approx(expected)
    assert loss.generator(play).item() == pytest.approx(0.25 * expected)


def test_similarity_moves_generated_images_towards_real_ones() -> None:
    """½ ‖x - x̃‖² has the gradient x̃ - x; what the discriminator sees of real images is constant."""
    real, fake = torch.full((2, 1, 2, 2), 3.0, requires_grad=True), torch.full((2, 1, 2, 2), 1.0, requires_grad=True)
    loss, play = LearnedSimilarity(layer=0), Play(Halves(), real=real, fake=fake)
    term = loss.encoder(play)
    assert term.item() == pytest.approx(0.5 * 4 * 2**2)
    term.backward()
    assert real.grad is None
    torch.testing.assert_close(fake.grad, (fake - real).detach() / 2)
    loss.generator(play)
    assert play.logged["dissimilarity"] == (pytest.approx(8.0), 1e-3)


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(OptionError, match="has 2 hidden maps"):
        LearnedSimilarity(layer=5).encoder(Play(Halves(), real=torch.ones(1, 1, 2, 2), fake=torch.ones(1, 1, 2, 2)))


def built(data: ArraySource, **parts: Any) -> gantk.Model:
    return gantk.build("vaegan", data=data, settings=SHORT, **{**small_parts({"recipe": "vaegan"}), **parts})


def test_three_players_and_what_each_sees(tiny_pictures: ArraySource, monkeypatch: pytest.MonkeyPatch) -> None:
    model = built(tiny_pictures)
    (stage,) = model.built.stages
    turns, played, turn = Turns(Fabric(accelerator="cpu", devices=1), model, stage), [], Turns._turn

    def noted(self: Turns, player: Player, *given: Any) -> dict[str, Tensor | float]:
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        values = turn(self, player, *given)
        moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
        terms = {name.partition("/")[2] for name in values if not name.endswith(("weight", "objective", "norm"))}
        played.append((player.name, {".".join(name.split(".")[:2]) for name in moved}, terms))
        return values

    monkeypatch.setattr(Turns, "_turn", noted)
    turns.play([model.step(Batch(to_float(tiny_pictures.images(range(8)))), stage.values)])
    names = [(name, terms) for name, _, terms in played]
    assert names[0] == (
        "discriminator",
        {f"{game}/nonsaturating{part}" for game in ("drawn", "again") for part in ("", "/real", "/fake")},
    )
    assert names[1] == ("encoder", {"prior/kl", "again/learned-similarity"})
    assert names[2][1] >= {"drawn/nonsaturating", "again/nonsaturating", "again/learned-similarity"}
    assert [moved for _, moved, _ in played[1:]] == [{"generator.encoder"}, {"generator.decoder"}]
    assert all(path.startswith("discriminator") for path in played[0][1])


def test_the_divergence_by_hand(tiny_pictures: ArraySource) -> None:
    model = built(tiny_pictures)
    (stage,) = model.built.stages
    step = model.step(Batch(to_float(tiny_pictures.images(range(8)))), stage.values)
    encoder = stage.players[1]
    step.begin(encoder.moves)
    mean, log_variance = step["posterior"]
    found = encoder.objective(step)["prior/kl"]
    prior = torch.distributions.Normal(torch.zeros_like(mean), 1.0)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, prior).sum(dim=1).mean()
    torch.testing.assert_close(found, expected)


OTHERS: dict[str, dict[str, Any]] = {
    "a VAE's networks, DCGAN's discriminator, Wasserstein": {
        "generator": "vae:width=4",
        "discriminator": "dcgan:width=4",
        "loss": "wgan-gp",
    },
    "with the denoiser and the code loss": {"refiner": "denoiser:width=4", "loss": "code"},
}


@pytest.mark.parametrize("parts", OTHERS.values(), ids=OTHERS)
def test_other_parts_go_the_whole_way(parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path) -> None:
    goes_the_whole_way(built(tiny_pictures, **parts), tiny_pictures, tmp_path)


def test_a_generator_without_an_encoder_is_refused(tiny_pictures: ArraySource) -> None:
    model = built(tiny_pictures)
    model.generator = MLPGenerator((1, 16, 18), 6, widths=(4,))
    with pytest.raises(FitError, match="use --generator vaegan or vae"):
        model.built.recipe.stages(model)
