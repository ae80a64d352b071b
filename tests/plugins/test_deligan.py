"""DeLiGAN: a learned mixture as noise, networks for few images, minibatch discrimination."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small import TINY, small_parts
from torch import nn
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.testing import DiscriminatorContract, GeneratorContract, NoiseContract
from gantk.training.progress import Silent


class TestMixture(NoiseContract):
    plugin = "mixture:dim=3,components=4"
    shapes = ((1, 28, 28),)


class TestDeLiGANGenerator(GeneratorContract):
    plugin = "deligan:width=4"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestDeLiGANDiscriminator(DiscriminatorContract):
    plugin = "deligan:width=4"
    shapes = ((1, 28, 28), (3, 33, 17))


def test_noise_is_the_mixture() -> None:
    source = construct("noise", "mixture:dim=2,components=3")
    assert source.means.abs().max() <= 1
    assert source.deviations.unique().tolist() == [pytest.approx(0.2)]
    with torch.no_grad():
        source.means.copy_(torch.tensor([[-9.0, 0.0], [0.0, 0.0], [9.0, 0.0]]))
        source.deviations.copy_(torch.tensor([[0.5, 1.0], [1.0, 2.0], [0.1, 3.0]]))
        drawn = source.sample(30_000, torch.Generator().manual_seed(0))
    component = (drawn[:, 0] / 9).round().long() + 1
    for index in range(3):
        own = drawn[component == index]
        assert len(own) / 30_000 == pytest.approx(1 / 3, abs=0.02)
        torch.testing.assert_close(own.mean(dim=0), source.means[index].detach(), rtol=0, atol=0.1)
        torch.testing.assert_close(own.std(dim=0), source.deviations[index].detach(), rtol=0.05, atol=0)


def test_the_term_on_the_deviations() -> None:
    source = construct("noise", "mixture:dim=2,components=2,weight=0.5")
    with torch.no_grad():
        source.deviations.copy_(torch.tensor([[1.0, 0.0], [0.5, 3.0]]))
    assert source.generator(None).item() == pytest.approx((0 + 1 + 0.25 + 4) / 4)
    assert source.weight == 0.5


def test_networks_are_those_of_the_authors() -> None:
    """28×28 gray images and noise of 30 numbers."""
    generator = construct("generator", "deligan", image_shape=(1, 28, 28), noise_dim=30)
    judge = construct("discriminator", "deligan", image_shape=(1, 28, 28))
    layers = [layer for layer in generator.modules() if isinstance(layer, nn.Linear | nn.ConvTranspose2d)]
    assert [tuple(layer.weight.shape) for layer in layers] == [
        (64 * 16, 30),
        (64, 32, 3, 3),
        (32, 16, 5, 5),
        (16, 1, 5, 5),
    ]
    sizes = [tuple(x.shape[1:]) for x in judge(torch.zeros(2, 1, 28, 28)).hidden]
    assert sizes == [(16, 14, 14), (32, 7, 7), (64, 4, 4)]
    kernels = [layer.kernel_size for layer in judge.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [(5, 5), (5, 5), (3, 3)]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in judge.modules()) == 2
    assert (judge.batch.kernels, judge.batch.project.out_features, judge.logit.in_features) == (64, 320, 128)


@pytest.mark.parametrize("recipe", ["wgan-gp", "aegan"])
def test_whoever_generates_moves_the_mixture(recipe: str, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    small = {**small_parts({"recipe": recipe}), "noise": TINY["noise"]["mixture"]}
    settings = {**SHORT, "stages.*.length": "1 steps"}
    model = gantk.build(recipe, data=tiny_pictures, settings=settings, **small)
    before = [parameter.detach().clone() for parameter in model.noise.parameters()]
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert all(not torch.equal(b, p) for b, p in zip(before, model.noise.parameters(), strict=True))


def test_the_whole_way(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build("deligan", data=tiny_pictures, settings=SHORT, **small_parts({"recipe": "deligan"}))
    goes_the_whole_way(model, tiny_pictures, tmp_path)
