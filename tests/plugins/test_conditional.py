"""Networks that read a condition: projection, an auxiliary classifier, conditional and self-modulated normalization."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from small import small_parts
from torch import Tensor, nn
from torch.nn import functional as F
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import Play
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.nn import Modulation
from gantk.testing import DiscriminatorContract, GeneratorContract, LossContract


class TestProjection(DiscriminatorContract):
    plugin = "projection:of='dcgan:width=4'"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestAuxiliary(DiscriminatorContract):
    plugin = "auxiliary:of='dcgan:width=4,code=true'"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestModulated(GeneratorContract):
    plugin = "modulated:of='dcgan:width=4'"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestAuxiliaryLoss(LossContract):
    plugin = "auxiliary"


CONTEXT = {"image_shape": (1, 16, 16), "noise_dim": 9, "condition_dim": 3, "class_count": 3}


def images(n: int = 4) -> Tensor:
    return torch.rand(n, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def one_hot(*classes: int) -> Tensor:
    return F.one_hot(torch.tensor(classes), 3).float()


def test_projection_adds_the_product_of_condition_and_features() -> None:
    judge = construct("discriminator", "projection:of='dcgan:width=4'", **CONTEXT).eval()
    given, conditions = images(), one_hot(0, 1, 2, 0)
    plain, found = judge.within(given), judge(given, conditions)
    features = plain.hidden[-1].sum(dim=(2, 3))
    products = [judge.embedding.weight[:, c] @ features[i] for i, c in enumerate((0, 1, 2, 0))]
    expected = plain.logits + torch.stack(products)
    torch.testing.assert_close(found.logits, expected)
    assert not torch.equal(found.logits, judge(given, one_hot(1, 1, 2, 0)).logits)


def test_the_class_head_does_not_see_the_condition() -> None:
    judge = construct("discriminator", "auxiliary:of='gan:widths=[8]'", **CONTEXT).eval()
    one, other = judge(images(), one_hot(0, 1, 2, 0)), judge(images(), one_hot(2, 2, 2, 2))
    assert torch.equal(one.classes, other.classes)
    assert torch.equal(one.logits, other.logits)
    torch.testing.assert_close(one.classes, judge.head(judge.within(images()).hidden[-1]))


def test_the_class_loss_is_the_cross_entropy() -> None:
    judge = construct("discriminator", "auxiliary:of='gan:widths=[8]'", **CONTEXT).eval()
    real, fake, labels = images(), -images(), torch.tensor([0, 1, 2, 0])
    play = Play(judge, real=real, fake=fake, labels=labels, condition=one_hot(0, 1, 2, 0))

    def surprise(shown: Tensor) -> Tensor:
        chances = judge(shown, one_hot(0, 0, 0, 0)).classes.softmax(dim=1)
        return -torch.stack([chances[i, label] for i, label in enumerate(labels)]).log().mean()

    loss, real_only = construct("loss", "auxiliary"), construct("loss", "auxiliary:fake=false")
    torch.testing.assert_close(loss.discriminator(play), surprise(real) + surprise(fake))
    torch.testing.assert_close(real_only.discriminator(play), surprise(real))
    torch.testing.assert_close(loss.generator(play), surprise(fake))


def test_labels_that_are_vectors_are_no_classes() -> None:
    verdict = gantk.Verdict(classes=torch.zeros(2, 3))
    play = Play(labels=torch.zeros(2, 5))
    play.fake_verdict = verdict
    with pytest.raises(FitError, match="labels of this data are vectors, and a class loss needs classes: leave out"):
        construct("loss", "auxiliary").generator(play)


def test_modulation_is_a_scale_and_a_shift_of_each_image() -> None:
    layer = Modulation(nn.InstanceNorm2d(2), 2, 3, hidden=5)
    nn.init.normal_(cast(nn.Linear, layer.style[2]).weight)  # type: ignore[index]
    x, style = torch.randn(4, 2, 6, 6), torch.randn(4, 3)
    scale, shift = layer.style(style).chunk(2, dim=1)
    expected = layer.norm(x) * (1 + scale)[:, :, None, None] + shift[:, :, None, None]
    torch.testing.assert_close(layer(x, style), expected)
    # γ and β are 1 and 0 on average at first.
    torch.testing.assert_close(Modulation(nn.InstanceNorm2d(2), 2, 3)(x, 0 * style), layer.norm(x))


def test_every_class_has_a_scale_and_shift_of_its_own() -> None:
    """The generator within reads noise alone; the condition reaches images through the normalizations."""
    generator = construct("generator", "modulated:of='dcgan:width=4',by=condition", **CONTEXT)
    noise = torch.randn(2, 6)
    assert generator.within.noise_dim == 6
    layers = [layer for layer in generator.modules() if isinstance(layer, Modulation)]
    assert [tuple(cast(nn.Linear, layer.style).weight.shape) for layer in layers] == [(16, 3), (8, 3)]
    assert not [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d) and layer.affine]
    one, other = (generator(torch.cat([noise, one_hot(c, c)], dim=1)) for c in (0, 1))
    assert not torch.equal(one, other)


def test_self_modulation_reads_all_noise_through_a_hidden_layer() -> None:
    generator = construct("generator", "modulated:of='dcgan:width=4'", **CONTEXT)
    assert generator.within.noise_dim == 9
    for layer in generator.modules():
        if isinstance(layer, Modulation):
            first, _, last = cast(nn.Sequential, layer.style)
            assert (first.in_features, first.out_features, last.in_features) == (9, 32, 32)


def test_modulations_are_nested() -> None:
    """By condition around by noise: scales and shifts of the two follow each other."""
    inner = "modulated:of='dcgan:width=4,norm=layer'"
    generator = construct("generator", {"plugin": "modulated", "of": inner, "by": "condition"}, **CONTEXT).eval()
    noise = torch.randn(1, 9)
    for column in range(9):
        changed = noise.clone()
        changed[0, column] += 1
        assert not torch.equal(generator(noise), generator(changed)), column


def test_an_encoder_is_not_modulated() -> None:
    generator = construct("generator", "modulated:of='vae:width=4'", **CONTEXT)
    assert "posterior" in generator.provides
    assert generator.encode(images()).mean.shape == (4, 9)
    assert any(isinstance(layer, nn.BatchNorm2d) and layer.affine for layer in generator.modules())


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"generator": "modulated:by=condition"}, "use --condition class"),
        ({"generator": "modulated:of='dcgan:width=4,norm=none'"}, "has no normalization to modulate"),
        ({"discriminator": "projection"}, "use --condition class"),
        ({"discriminator": "auxiliary"}, "reads conditions, but this model has none"),
        ({"loss": "auxiliary", "condition": "class"}, "use --discriminator auxiliary"),
    ],
)
def test_what_does_not_fit_is_refused(parts: dict[str, str], says: str, tiny: Callable[..., gantk.Model]) -> None:
    with pytest.raises(FitError) as caught:
        tiny(**parts)
    assert says in str(caught.value)


@pytest.mark.parametrize("recipe", ["cdcgan", "acgan"])
def test_the_whole_way(recipe: str, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    small = small_parts({"recipe": recipe})
    goes_the_whole_way(gantk.build(recipe, data=tiny_pictures, settings=SHORT, **small), tiny_pictures, tmp_path)


def test_the_whole_way_by_condition(tiny_pictures: ArraySource, tmp_path: Path) -> None:
    parts = {"generator": "modulated:of='dcgan:width=4',by=condition", "discriminator": "projection:of='dcgan:width=4'"}
    settings = {**SHORT, "train.ema": 0.9}
    model = gantk.build("dcgan", condition="class", data=tiny_pictures, settings=settings, **parts)
    goes_the_whole_way(model, tiny_pictures, tmp_path)
