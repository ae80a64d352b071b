"""Codes are read only from what a player trains, and what nobody trains is said at build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small import TINY, small_parts
from torch import Tensor, nn

import gantk
from gantk.data import ArraySource, to_float
from gantk.errors import FitError
from gantk.measures.codes import check_reads_codes, read_codes
from gantk.measures.reconstruction import image_errors, mean_image

VAE = TINY["generator"]["vae"]


def idle(model: gantk.Model) -> list[str]:
    return [note for note in model.built.notes if note.startswith("no player trains")]


def test_an_encoder_that_nobody_trains_is_noted_and_not_read(
    tiny: Callable[..., gantk.Model], images: ArraySource, tmp_path: Path
) -> None:
    model = tiny(generator=VAE)
    assert idle(model) == ["no player trains generator.encoder."]
    with pytest.raises(FitError, match=r"generator encodes images with generator\.encoder, .*build with --loss code"):
        check_reads_codes(model)
    gantk.train(model, run=tmp_path / "run")
    for again in (model, gantk.load(tmp_path / "run")):
        before = [p.requires_grad for p in again.parameters()]
        with pytest.raises(FitError, match="this model is not trained to encode images"):
            image_errors(again, [to_float(images.images(range(4)))])
        assert [p.requires_grad for p in again.parameters()] == before


def test_the_mend_that_it_names_works(tiny: Callable[..., gantk.Model]) -> None:
    model = tiny(generator=VAE, loss="code")
    assert idle(model) == ["no player trains generator.encoder."]
    check_reads_codes(model)
    codes = read_codes(model, torch.zeros(3, *model.image_shape))
    assert torch.equal(codes, model.discriminator(torch.zeros(3, *model.image_shape)).code.detach())


@pytest.mark.parametrize("recipe", ["vae", "age"])
def test_trained_encoders_are_read(recipe: str, tiny_pictures: ArraySource) -> None:
    model = gantk.build(recipe, data=tiny_pictures, **small_parts({"recipe": recipe}))
    assert not idle(model)
    check_reads_codes(model)


def test_a_code_head_without_its_loss_gives_way_to_a_trained_encoder(tiny: Callable[..., gantk.Model]) -> None:
    model = tiny(generator=VAE, discriminator="dcgan:width=4,code=true")
    assert idle(model)[1:] == ["no player trains discriminator.code."]
    with pytest.raises(FitError, match=r"discriminator encodes images with .*generator\.encoder"):
        check_reads_codes(model)
    model.built.spec["untrained"] = ["discriminator.code"]  # as where a player of another recipe trains the encoder
    images = torch.zeros(2, *model.image_shape)
    assert torch.equal(read_codes(model, images), model.generator.encode(images).mean.detach())


def test_a_learning_rate_of_0_moves_nothing(tiny: Callable[..., gantk.Model]) -> None:
    model = tiny(settings={"stages.game.generator.lr": 0.0})
    assert "no player trains generator." in model.built.notes


class Halves(gantk.Generator):
    """Has a branch that its images do not depend on, and a parameter of its own."""

    def __init__(self, image_shape: tuple[int, int, int], noise_dim: int) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.used = nn.Sequential(nn.Linear(noise_dim, int(np.prod(image_shape))), nn.Tanh())
        self.unused = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.used(noise)
        return images.view(len(noise), *self.image_shape)


def test_what_is_not_trained_is_named_by_module(tiny: Callable[..., gantk.Model]) -> None:
    assert idle(tiny(generator=Halves)) == ["no player trains generator.scale, generator.unused."]


@pytest.mark.parametrize("recipe", ["dcgan", "wgan", "degan", "autodecoder", "aegan", "progan"])
def test_recipes_train_all_that_they_have(recipe: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 1, 32, 32), dtype=np.uint8)
    assert not idle(gantk.build(recipe, data=pixels, **small_parts({"recipe": recipe})))


def test_the_mean_image_is_the_error_beside(tiny: Callable[..., gantk.Model], images: ArraySource) -> None:
    model = tiny("vae")
    batches = [to_float(images.images(range(25))), to_float(images.images(range(25, 40)))]
    every = torch.cat(batches)
    mean = every.mean(0)
    torch.testing.assert_close(mean_image(batches), mean)
    found = image_errors(model, batches).mean_image
    assert found is not None
    assert found.absolute == pytest.approx((every - mean).abs().mean().item(), rel=1e-5)
    assert found.squared == pytest.approx((every - mean).square().mean().item(), rel=1e-5)
    assert image_errors(model, iter(batches)).mean_image is None
    given = image_errors(model, iter(batches), mean=mean).mean_image
    assert given is not None
    assert given.squared == pytest.approx(found.squared)
