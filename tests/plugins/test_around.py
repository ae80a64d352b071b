"""Denoising feature matching and minibatch discrimination around any discriminator."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small import small_parts
from torch import Tensor, nn
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import Discriminator, Play, Verdict
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import OptionError
from gantk.testing import DiscriminatorContract


class TestDenoisingFeatures(DiscriminatorContract):
    plugin = "denoising:of='dcgan:width=2,norm=layer',width=4"
    shapes = ((1, 28, 28), (3, 20, 17))
    test_gradients_reach_every_parameter = (
        None  # the denoiser's are reached by a term of its own, which is tested below
    )


class TestMinibatchDiscriminator(DiscriminatorContract):
    plugin = "minibatch:of='dcgan:width=2',kernels=3,dims=2"
    shapes = ((1, 28, 28), (3, 20, 17))


def made(spec: str, shape: tuple[int, int, int] = (1, 12, 12)) -> Any:
    return construct("discriminator", spec, image_shape=shape, noise_dim=4, condition_dim=0, class_count=0)


def play(judge: Discriminator) -> Play:
    real, fake = torch.rand(2, 6, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    return Play(judge, real=real, fake=fake.requires_grad_())


def moved(term: Tensor, judge: nn.Module) -> set[str]:
    torch.autograd.backward(term)
    return {name.partition(".")[0] for name, p in judge.named_parameters() if p.grad is not None and p.grad.any()}


def test_the_denoiser_learns_and_nothing_else_of_the_discriminator() -> None:
    judge = made("denoising:of='gan:widths=[8]',width=16")
    assert moved(judge.discriminator(play(judge)), judge) == {"denoiser"}
    features = judge(play(judge).real).hidden[-1].detach()
    exact = made("denoising:of='gan:widths=[8]',width=16,noise=0")
    exact.load_state_dict(judge.state_dict())
    expected = (exact.denoiser(features) - features).square().mean()
    assert exact.discriminator(play(exact)).item() == pytest.approx(expected.item())


def test_the_generator_is_drawn_to_denoised_features() -> None:
    """The denoised features are constants: the gradient in the features is λ · 2 (φ - r(φ)) / values."""
    judge = made("denoising:of='gan:widths=[8]',width=16,denoising=3")
    shown = play(judge)
    features = shown.fake_verdict.hidden[-1]  # type: ignore[index]
    term = judge.generator(shown)
    apart = features - judge.denoiser(features)
    assert term.item() == pytest.approx(3 * apart.square().mean().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(term, features)
    torch.testing.assert_close(gradient, 3 * 2 * apart.detach() / apart.numel())


def test_denoised_features_of_real_images_become_real_features() -> None:
    """A few steps of the denoiser halve its error."""
    torch.manual_seed(0)
    judge = made("denoising:of='gan:widths=[8]',width=32,noise=0.1")
    optimizer = torch.optim.Adam(judge.denoiser.parameters(), 1e-2)
    errors = []
    for _ in range(40):
        error = judge.discriminator(play(judge))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < errors[0] / 2


class Flat(Discriminator):
    """Its hidden map is the image."""

    provides = frozenset({"logits", "hidden", "per-sample"})

    def forward(self, images: Tensor) -> Verdict:
        flat = images.flatten(1)
        return Verdict(logits=flat.sum(dim=1), hidden=(flat,))


def test_closeness_by_hand() -> None:
    judge = made("minibatch:of='gan:widths=[2]',kernels=1,dims=2", (1, 1, 2))
    judge.within, judge.features = Flat(), 2
    with torch.no_grad():
        judge.close.project.weight.copy_(torch.eye(2))
        judge.logit.weight.fill_(10.0)
    images = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]]).view(3, 1, 1, 2)
    close = [math.exp(-1) + math.exp(-3), math.exp(-1) + math.exp(-2), math.exp(-3) + math.exp(-2)]
    expected = torch.tensor([x + 10 * c for x, c in zip((0.0, 1.0, 3.0), close, strict=True)])
    torch.testing.assert_close(judge(images).logits, expected)
    torch.testing.assert_close(judge.close.usual, torch.tensor([0.1 * sum(close) / 3]))
    torch.testing.assert_close(judge.eval()(images).logits, torch.tensor([0.0, 1, 3]) + 10 * judge.close.usual)
    torch.testing.assert_close(judge.train()(images[:1]).logits, torch.zeros(1))


def test_closeness_has_little_weight_at_first() -> None:
    weights = made("minibatch:kernels=32").logit.weight
    assert 0.01 < weights.std() < 0.03
    assert abs(weights.mean()) < 0.015


def test_a_verdict_of_a_batch_is_none_of_an_image() -> None:
    judge = made("minibatch:of='dcgan:width=2,norm=layer'")
    assert "per-sample" not in judge.provides
    assert "per-sample" not in judge.offers


@pytest.mark.parametrize("spec", ["denoising:width=0", "denoising:noise=-1", "minibatch:kernels=0", "minibatch:dims=0"])
def test_options_out_of_range_are_refused(spec: str) -> None:
    with pytest.raises(OptionError, match=spec.partition(":")[2].partition("=")[0]):
        made(spec)


@pytest.mark.parametrize(
    ("recipe", "parts"),
    [
        ("wgan-gp", {"discriminator": "denoising:of='dcgan:width=4',width=8", "condition": "class"}),
        ("dcgan", {"discriminator": "minibatch:of='dcgan:width=4'", "loss": "feature-matching", "condition": "class"}),
        ("progan", {"discriminator": "denoising:of='progan:fmap_base=16,fmap_max=8',width=8"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_goes_the_whole_way(recipe: str, parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path) -> None:
    model = gantk.build(recipe, data=tiny_pictures, settings=SHORT, **{**small_parts({"recipe": recipe}), **parts})
    goes_the_whole_way(model, tiny_pictures, tmp_path)
