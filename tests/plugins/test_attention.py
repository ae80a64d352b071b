"""SAGAN and BigGAN: self-attention, spectral normalization, styles of blocks, orthogonal regularization."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from small import small_parts
from torch import nn
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import Play
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.nn import Modulation
from gantk.testing import DiscriminatorContract, GeneratorContract, LossContract
from gantk_attention.blocks import SelfAttention


class TestSAGANGenerator(GeneratorContract):
    plugin = "sagan:width=2,attention=17,hierarchical=true,shared=4"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestSAGANDiscriminator(DiscriminatorContract):
    plugin = "sagan:width=2,attention=17"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestSpectral(DiscriminatorContract):
    plugin = "spectral:of='dcgan:width=2,norm=none'"
    shapes = ((1, 28, 28), (3, 33, 17))


class TestOrthogonal(LossContract):
    plugin = "orthogonal"


CONTEXT: dict[str, Any] = {"noise_dim": 13, "condition_dim": 3, "class_count": 3}


def channels(blocks: nn.Module) -> list[int]:
    return [cast(Any, block).second.out_channels for block in blocks.children()]


def test_networks_are_those_of_the_authors() -> None:
    """At 128×128: five blocks up from 4×4, and five down to it and one more, with attention at 32×32."""
    generator = construct("generator", "sagan:width=2,attention=32", image_shape=(3, 128, 128), **CONTEXT)
    judge = construct("discriminator", "sagan:width=2,attention=32", image_shape=(3, 128, 128), **CONTEXT)
    assert channels(generator.blocks) == [32, 16, 8, 4, 2]
    assert generator.project[0].weight.shape == (32 * 16, 10)
    assert channels(judge.blocks) == [2, 4, 8, 16, 32, 32]
    assert [tuple(h.shape[1:]) for h in judge(torch.zeros(2, 3, 128, 128), torch.eye(3)[:2]).hidden] == [
        (2, 64, 64),
        (4, 32, 32),
        (8, 16, 16),
        (16, 8, 8),
        (32, 4, 4),
        (32, 4, 4),
    ]
    assert generator.attended == judge.attended == (32, 32)
    assert (generator.attention.query.in_channels, judge.attention.query.in_channels) == (8, 4)


def test_attention_by_hand() -> None:
    layer, x = SelfAttention(8), torch.randn(2, 8, 4, 6)
    assert torch.equal(layer(x), x)  # γ is 0 at first
    nn.init.constant_(layer.gamma, 0.5)
    query, key, value = layer.query(x), layer.key(x), layer.value(x)
    pooled = [nn.functional.max_pool2d(each, 2).flatten(2) for each in (key, value)]
    expected = torch.empty(2, 4, 4, 6)
    for image in range(2):
        for row in range(4):
            for column in range(6):
                weights = (query[image, :, row, column] @ pooled[0][image]).softmax(dim=0)
                expected[image, :, row, column] = pooled[1][image] @ weights
    torch.testing.assert_close(layer(x), x + 0.5 * layer.output(expected))


@pytest.mark.parametrize("spec", ["sagan:width=2", "spectral:of='dcgan:width=2,norm=none'"])
def test_the_largest_singular_value_is_one(spec: str) -> None:
    judge = construct("discriminator", spec, image_shape=(1, 16, 16), **CONTEXT).train()
    for _ in range(30):
        judge(torch.randn(2, 1, 16, 16), *([torch.eye(3)[:2]] if judge.reads_condition else []))
    layers = [layer for layer in judge.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    assert len(layers) > 2
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_the_generator_is_spectrally_normalized_and_its_styles_are_not() -> None:
    generator = construct("generator", "sagan:width=2", image_shape=(1, 16, 16), **CONTEXT)
    plain = construct("generator", "sagan:width=2,spectral=false", image_shape=(1, 16, 16), **CONTEXT)
    named = {name.partition(".parametrizations")[0] for name, _ in generator.named_buffers() if name.endswith("_u")}
    layers = {n for n, layer in plain.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d) and "style" not in n}
    assert named == layers
    assert not [name for name, _ in plain.named_buffers() if name.endswith("_u")]


def test_a_condition_modulates_and_is_projected() -> None:
    """The conditional parts are there if there is a condition, and are plain batch normalization if not."""
    shape = (1, 16, 16)
    conditional = construct("generator", "sagan:width=2", image_shape=shape, **CONTEXT)
    styles = [m for m in conditional.modules() if isinstance(m, Modulation)]
    assert [cast(nn.Linear, m.style).in_features for m in styles] == [3] * 4
    without = construct("generator", "sagan:width=2", image_shape=shape, noise_dim=13, condition_dim=0)
    assert not [m for m in without.modules() if isinstance(m, Modulation)]
    judge = construct("discriminator", "sagan:width=2", image_shape=shape, **CONTEXT).eval()
    images, one, other = torch.randn(2, *shape), torch.eye(3)[[0, 1]], torch.eye(3)[[2, 1]]
    found, changed = judge(images, one), judge(images, other)
    assert found.logits[0] != changed.logits[0]
    assert found.logits[1] == changed.logits[1]
    features = found.hidden[-1].sum(dim=(2, 3))
    expected = judge.logit(features).squeeze(1) + (judge.embedding.weight[:, [0, 1]].T * features).sum(dim=1)
    torch.testing.assert_close(found.logits, expected)
    assert not construct("discriminator", "sagan:projection=false", image_shape=shape, **CONTEXT).reads_condition


def test_every_block_reads_a_chunk_of_the_noise_and_the_shared_embedding() -> None:
    """10 numbers of noise in three chunks, of which the first is projected; an embedding of 5 numbers."""
    spec = "sagan:width=2,hierarchical=true,shared=5,attention=0"
    generator = construct("generator", spec, image_shape=(1, 16, 16), **CONTEXT).eval()
    assert generator.chunks == [4, 3, 3]
    assert generator.project[0].in_features == 4
    assert generator.shared.weight.shape == (5, 3)
    assert [cast(nn.Linear, m.style).in_features for m in generator.modules() if isinstance(m, Modulation)] == [8] * 4
    noise = torch.randn(1, 13)
    for column in range(13):
        changed = noise.clone()
        changed[0, column] += 1
        assert not torch.equal(generator(noise), generator(changed)), column


def test_orthogonal_regularization_by_hand() -> None:
    generator = nn.Sequential(nn.Linear(2, 3), nn.Conv2d(1, 2, 1))
    with torch.no_grad():
        generator[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]))
        generator[1].weight.copy_(torch.tensor([2.0, 0.5]).view(2, 1, 1, 1))
    loss = construct("loss", "orthogonal")
    # Products of rows: 0, 3 and 2, each twice; and 1 twice.
    assert loss.generator(Play(generator=generator)).item() == pytest.approx(2 * (0 + 9 + 4) + 2 * 1)
    assert loss.weight == 1e-4


def test_noise_must_suffice_for_the_chunks(tiny: Callable[..., gantk.Model]) -> None:
    with pytest.raises(FitError, match="cannot be split into 2 chunks"):
        tiny(noise="gaussian:dim=1", generator="sagan:width=2,hierarchical=true")


@pytest.mark.parametrize("recipe", ["sagan", "biggan", "projection-gan"])
def test_presets_have_the_settings_of_their_papers(recipe: str, tiny_pictures: ArraySource) -> None:
    model = gantk.build(recipe, data=tiny_pictures, **small_parts({"recipe": recipe}))
    (stage,) = model.built.stages
    judge, generator = (player.optimizer for player in stage.players)
    rates = {"sagan": (4e-4, 1e-4, 0.9, 1), "biggan": (2e-4, 2e-4, 0.999, 4), "projection-gan": (2e-4, 2e-4, 0.9, 5)}
    lr_d, lr_g, beta, repeats = rates[recipe]
    assert (judge["lr"], generator["lr"], judge["betas"]) == (lr_d, lr_g, (0.0, beta))
    assert stage.players[0].repeats == repeats
    assert model.losses[0][0] == "hinge"


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_whole_way(precision: str, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    generator = "sagan:width=2,attention=9,hierarchical=true,shared=4"
    parts = {**small_parts({"recipe": "biggan"}), "generator": generator, "loss": "orthogonal"}
    settings = {**SHORT, "train.precision": precision, "stages.game.discriminator.repeats": 1}
    model = gantk.build("biggan", data=tiny_pictures, settings=settings, **parts)
    goes_the_whole_way(model, tiny_pictures, tmp_path)
    assert math.isfinite(model.sample(2, 0, truncation=0.5).sum().item())
