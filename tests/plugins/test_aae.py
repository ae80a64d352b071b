"""The adversarial autoencoder: networks, priors, who moves when, and the composition with other autoencoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from small import small_parts
from torch import Tensor, nn
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.building.composition import compose
from gantk.data import ArraySource, to_float
from gantk.errors import FitError
from gantk.schedule import Batch, Player
from gantk.testing import DiscriminatorContract, GeneratorContract, MetricContract
from gantk.training.turn import Turns
from gantk_aae.labeled import Labeled
from gantk_aae.maps import MapAutoencoder
from gantk_aae.mixture import ClassMixture
from gantk_aae.networks import AAEGenerator
from gantk_aae.pair import CodePair
from gantk_classic.mlp import MLPDiscriminator


class TestAAEGenerator(GeneratorContract):
    plugin = "aae:widths=[16, 8]"


class TestAAEGeneratorGaussian(GeneratorContract):
    plugin = "aae:widths=[16],gaussian=true,output=tanh"
    shapes = ((1, 9, 7),)


class TestAAEGeneratorOnTheSphere(GeneratorContract):
    plugin = "aae:widths=[16],sphere=true"
    shapes = ((1, 9, 7),)


class TestClassMixture(GeneratorContract):
    plugin = "class-mixture:of='aae:widths=[8]'"
    shapes = ((1, 9, 7), (3, 8, 8))


class TestMapAutoencoder(GeneratorContract):
    plugin = "map-autoencoder:of='aegan:width=2,embedding=8'"
    shapes = ((1, 16, 16),)
    noise_dim = 128


class TestCodePair(DiscriminatorContract):
    plugin = "code-pair:of='gan:widths=[8]'"
    shapes = ((9, 1, 1), (5, 1, 1))


class TestClassificationError(MetricContract):
    plugin = "classification-error"

    def _model(self) -> gantk.Model:
        """A semi-supervised autoencoder of as many classes as the contract's images have."""
        pixels = np.zeros((self.class_count, 1, 8, 8), dtype=np.uint8)
        return built("aae-semi", ArraySource(pixels, np.arange(self.class_count)))


def test_networks_are_the_papers() -> None:
    """Two hidden layers of 1000 ReLU each way, weights from N(0, 0.01²), pixels in [0, 1] mapped to [-1, 1]."""
    torch.manual_seed(0)
    network = AAEGenerator((1, 28, 28), 8)
    linear = [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]
    assert linear == [(784, 1000), (1000, 1000), (1000, 8), (8, 1000), (1000, 1000), (1000, 784)]
    assert sum(isinstance(m, nn.ReLU) for m in network.modules()) == 4
    for m in network.modules():
        if isinstance(m, nn.Linear):
            assert m.weight.std().item() == pytest.approx(0.01, rel=0.05)
            assert not m.bias.any()
    posterior = network.encode(torch.rand(2, 1, 28, 28))
    assert torch.equal(posterior.log_variance, torch.full((2, 8), -30.0))
    torch.testing.assert_close(posterior.sample(), posterior.mean)


def test_a_gaussian_encoder_draws_its_codes() -> None:
    posterior = AAEGenerator((1, 4, 4), 3, widths=(8,), gaussian=True).encode(torch.rand(2, 1, 4, 4))
    assert not torch.equal(posterior.sample(), posterior.sample())


def mixture(classes: int = 4, **options: Any) -> ClassMixture:
    return ClassMixture((1, 4, 4), 3 + classes, classes, classes, of="aae:widths=[8]", **options)


def test_components_lie_on_a_circle_and_point_outwards() -> None:
    """Four classes at radius 3: their centers, and a step of the noise's first and second axis from each."""
    part = mixture(radius=3.0, along=2.0, across=0.5)
    noise = torch.tensor([[0.0, 0.0, 0.7], [1.0, 0.0, 0.7], [0.0, 1.0, 0.7]])
    expected = {0: [[3, 0], [5, 0], [3, 0.5]], 1: [[0, 3], [0, 5], [-0.5, 3]], 2: [[-3, 0], [-5, 0], [-3, -0.5]]}
    for label, places in expected.items():
        classes = torch.eye(4)[label].expand(3, 4)
        found = part.place(torch.cat([noise, classes], dim=1))
        torch.testing.assert_close(found[:, :2], torch.tensor(places, dtype=torch.float), atol=1e-6, rtol=0)
        assert torch.equal(found[:, 2], noise[:, 2])


def test_a_code_is_decoded_as_it_was_encoded() -> None:
    """What the encoder returns stands for its code, without a class."""
    part, images = mixture().eval(), torch.rand(5, 1, 4, 4)
    codes = part.within.encode(images).mean
    torch.testing.assert_close(part.place(part.encode(images).mean), codes)
    torch.testing.assert_close(part(part.encode(images).mean), part.within(codes))


def test_a_mixture_needs_classes_and_two_dimensions() -> None:
    with pytest.raises(FitError, match="use --condition class"):
        ClassMixture((1, 4, 4), 3, 0, 4, of="aae:widths=[8]")
    with pytest.raises(FitError, match="lie on a circle"):
        ClassMixture((1, 4, 4), 5, 4, 4, of="aae:widths=[8]")
    with pytest.raises(FitError, match="does not provide"):
        ClassMixture((1, 4, 4), 7, 4, 4, of="gan:widths=[8]")


def built(recipe: str, data: ArraySource, **parts: Any) -> gantk.Model:
    settings = {**SHORT, **parts.pop("settings", {})}
    return gantk.build(recipe, data=data, settings=settings, **{**small_parts({"recipe": recipe}), **parts})


def played(model: gantk.Model, data: ArraySource, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[str]]]:
    """(player, modules that it moved) of every turn of one step."""
    (stage,) = model.built.stages
    turns, found, turn = Turns(Fabric(accelerator="cpu", devices=1), model, stage), [], Turns._turn

    def noted(self: Turns, player: Player, *given: Any) -> dict[str, Tensor | float]:
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        values = turn(self, player, *given)
        moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
        found.append((player.name, {".".join(name.split(".")[:2]) for name in moved}))
        return values

    monkeypatch.setattr(Turns, "_turn", noted)
    batch = Batch(to_float(data.images(range(8))), data.labels(range(8)))
    turns.play([model.step(batch, stage.values)])
    return found


def test_reconstruction_then_the_game(tiny_pictures: ArraySource, monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(built("aae", tiny_pictures), tiny_pictures, monkeypatch) == [
        ("autoencoder", {"generator.encoder", "generator.decoder"}),
        ("discriminator", {"discriminator.layers", "discriminator.logit"}),
        ("encoder", {"generator.encoder"}),
    ]


def test_five_players_with_some_labels(tiny_pictures: ArraySource, monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(built("aae-semi", tiny_pictures), tiny_pictures, monkeypatch) == [
        ("autoencoder", {"generator.encoder", "generator.decoder"}),
        ("style-discriminator", {"discriminator.style"}),
        ("label-discriminator", {"discriminator.label"}),
        ("encoder", {"generator.encoder"}),
        ("classifier", {"generator.encoder"}),
    ]


def values(model: gantk.Model, data: ArraySource) -> Any:
    (stage,) = model.built.stages
    step = model.step(Batch(to_float(data.images(range(8))), data.labels(range(8))), stage.values)
    step.begin(("generator",))
    return step


def test_the_reconstruction_by_hand(tiny_pictures: ArraySource) -> None:
    model = built("aae", tiny_pictures)
    step = values(model, tiny_pictures)
    terms = model.built.stages[0].players[0].objective(step)
    images = to_float(tiny_pictures.images(range(8)))
    decoded = model.generator(model.generator.encode(images).mean)
    expected = 0.5 * (images - decoded).square().sum(dim=(1, 2, 3)).mean()
    torch.testing.assert_close(terms["reconstruction"], expected, rtol=1e-4, atol=0)


def test_prior_and_codes_are_compared(tiny_pictures: ArraySource) -> None:
    """Unsupervised: the noise; with labels: its place in the component of the image's class."""
    step = values(built("aae", tiny_pictures), tiny_pictures)
    assert torch.equal(step["prior"].flatten(1), step["noise"])
    model = built("aae-labels", tiny_pictures, noise="gaussian:dim=2")
    step = values(model, tiny_pictures)
    assert torch.equal(step["noise"][:, 2:], step["condition"])
    assert torch.equal(step["prior"].flatten(1), model.generator.place(step["noise"]))
    assert step["prior"].shape == step["code"].shape == (8, 2, 1, 1)
    assert step["latent"][:, 2:].abs().max() < 1e-4, "the decoder is not told the class"
    told = values(built("aae", tiny_pictures, condition="class"), tiny_pictures)
    assert torch.equal(told["latent"][:, -2:], told["condition"]), "here it is"
    assert told["prior"].shape == told["code"].shape == (8, 6, 1, 1)


def test_classes_of_unlabeled_images_are_drawn(tiny_pictures: ArraySource) -> None:
    step = values(built("aae-semi", tiny_pictures), tiny_pictures)
    assert torch.equal(step["noise"][:, 6:], step["condition"])
    assert torch.equal(step["label-prior"].flatten(1), step["condition"])
    torch.testing.assert_close(step["label"].sum(dim=1), torch.ones(8, 1, 1))
    assert not torch.equal(step["condition"].argmax(1), tiny_pictures.labels(range(8)))


def test_labels_are_few_even_and_always_the_same() -> None:
    data = ArraySource(np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1).repeat(2, 2), np.arange(60) % 3)
    torch.manual_seed(0)
    images, labels = Labeled(7, seed=1).draw(data, 500, torch.device("cpu"))
    which = ((images[:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(which % 3, labels)
    assert len(which.unique()) == 7
    assert sorted((which.unique() % 3).bincount().tolist()) == [2, 2, 3]
    again = Labeled(7, seed=1).draw(data, 500, torch.device("cpu"))[0]
    assert torch.equal(again.unique(), images.unique())


def test_the_error_is_counted(tiny_pictures: ArraySource) -> None:
    """On images that the encoder tells apart by hand: the right class, and the wrong one."""
    data = ArraySource(np.concatenate([np.zeros((3, 1, 16, 18)), np.full((3, 1, 16, 18), 255)]).astype(np.uint8),
                       np.array([0, 0, 0, 1, 1, 1]), ("dark", "bright"))  # fmt: skip
    model = built("aae-semi", data)
    last = [m for m in model.generator.encoder if isinstance(m, nn.Linear)]
    with torch.no_grad():
        for layer in last:
            layer.weight.zero_()
        last[0].weight[0] = 1.0
        last[-1].weight[-1, 0] = 1.0
        last[-1].bias[-2] = 1.0
    classes = model.built.recipe.classes(model, to_float(data.images(range(6))))  # type: ignore[attr-defined]
    assert classes.tolist() == [0, 0, 0, 1, 1, 1]


def test_values_of_the_presets() -> None:
    spec = compose("aae-semi", {})
    assert (spec["recipe"]["labels"], spec["recipe"]["image_noise"], spec["noise"]["dim"]) == ("1000", "0.6", "10")


OTHERS: dict[str, dict[str, Any]] = {
    "an autoencoder on the sphere": {
        "recipe": "aae",
        "generator": "aae:widths=[8],sphere=true",
        "noise": "sphere:dim=6",
    },
    "maps of AEGAN's autoencoder": {
        "recipe": "aae",
        "generator": "map-autoencoder:of='aegan:width=2,embedding=9'",
        "noise": "gaussian:dim=144",
    },
    "told the class, Wasserstein, image noise": {
        "recipe": "aae",
        "condition": "class",
        "loss": "wgan-gp",
        "settings": {"recipe.image_noise": 0.6},
    },
    "a component per class of a VAE, and the denoiser": {
        "recipe": "aae-labels",
        "generator": "class-mixture:of='vae:width=4'",
        "refiner": "denoiser:width=4",
    },
    "some labels, on a Gaussian encoder": {
        "recipe": "aae-semi",
        "generator": "aae:widths=[8],gaussian=true",
        "loss": "wgan-gp",
    },
}


@pytest.mark.parametrize("parts", OTHERS.values(), ids=OTHERS)
def test_other_autoencoders_and_losses(parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path) -> None:
    given = dict(parts)
    goes_the_whole_way(built(given.pop("recipe"), tiny_pictures, **given), tiny_pictures, tmp_path)


def test_what_does_not_fit_is_refused(tiny_pictures: ArraySource) -> None:
    with pytest.raises(FitError, match="use --generator aae"):
        built("aae", tiny_pictures, generator="dcgan:width=4")
    with pytest.raises(FitError, match="it needs noise of dim=144"):
        MapAutoencoder((1, 16, 18), 6, 0, of="aegan:width=2,embedding=9")
    with pytest.raises(FitError, match="use of=aegan"):
        MapAutoencoder((1, 16, 18), 6, 0, of="gan:widths=[4]")
    with pytest.raises(FitError, match="it judges codes that hold a style and a class"):
        CodePair((1, 28, 28), 16, 10, 10)
    model = built("aae-semi", tiny_pictures)
    model.discriminator = MLPDiscriminator((8, 1, 1), 8, widths=(4,))
    with pytest.raises(FitError, match="use --discriminator code-pair"):
        model.built.recipe.stages(model)
