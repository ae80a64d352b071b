"""Progressive GAN's layers by hand, its networks against the paper's Table 2, and what fading in means."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gantk
from gantk.errors import FitError, OptionError
from gantk.parts import ImageShape
from gantk_progressive.discriminator import ProGANDiscriminator
from gantk_progressive.generator import ProGANGenerator
from gantk_progressive.growth import Growth, channels, resolutions
from gantk_progressive.layers import BatchStd, EqualConv, EqualLinear, Projection, halve, pixel_norm, twice

SHAPES: list[ImageShape] = [(1, 28, 28), (3, 32, 32), (4, 96, 64), (1, 33, 17)]
SMALL = {"fmap_base": 64, "fmap_max": 8}


@pytest.fixture(autouse=True)
def _alike() -> None:
    torch.manual_seed(0)


def test_the_learning_rate_is_equal_for_every_weight() -> None:
    """N(0, 1) weights and zero biases are stored; gain / √fan_in is applied at run time (section 4.1)."""
    conv, linear, scores = EqualConv(8, 64, 3), EqualLinear(32, 64), EqualLinear(32, 64, gain=1.0)
    for layer, scale in ((conv, math.sqrt(2 / 72)), (linear, math.sqrt(2 / 32)), (scores, math.sqrt(1 / 32))):
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.06)
        assert layer.weight.std().item() == pytest.approx(1, abs=0.06)
        assert not layer.bias.any()
        assert layer.scale == pytest.approx(scale)
        nn.init.normal_(layer.bias)
    x, images = torch.randn(2, 32), torch.randn(2, 8, 5, 4)
    by_hand = x.numpy() @ (linear.weight.detach().numpy().T / 4) + linear.bias.detach().numpy()
    assert np.allclose(linear(x).detach().numpy(), by_hand, atol=1e-5)
    expected = F.conv2d(images, conv.weight / 6, conv.bias, padding=1)
    torch.testing.assert_close(conv(images), expected)


def test_the_projection_is_the_papers_4x4_convolution() -> None:
    """On a single pixel with three pixels of padding it is a linear layer; the authors' code gives it gain √2 / 4."""
    layer = Projection(6, 5, (4, 4))
    nn.init.normal_(layer.bias)
    x = torch.randn(3, 6)
    linear = x @ (layer.weight.flatten(1) * (math.sqrt(2) / 4 / math.sqrt(6)))
    torch.testing.assert_close(layer(x), linear.view(3, 5, 4, 4) + layer.bias[:, None, None])
    as_convolution = F.conv2d(
        x[:, :, None, None], layer.weight.transpose(0, 1).flip(2, 3) * layer.scale, layer.bias, padding=3
    )
    torch.testing.assert_close(layer(x), as_convolution)


def test_pixel_norm() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])[:, :, None, None]
    expected = torch.tensor([[3.0, 4.0], [0.0, 0.0]])[:, :, None, None] / math.sqrt(12.5)
    torch.testing.assert_close(pixel_norm(x), expected)
    latent = pixel_norm(7 * torch.randn(5, 12))
    torch.testing.assert_close(latent.norm(dim=1), torch.full((5,), math.sqrt(12)))


@pytest.mark.parametrize(("images", "groups"), [(8, 2), (16, 4), (14, 4), (6, 2), (5, 2), (3, 1), (1, 1)])
def test_minibatch_standard_deviation(images: int, groups: int) -> None:
    """By loops: image i belongs to group i mod ⌈N/4⌉; all of a group get its mean standard deviation."""
    x = torch.randn(images, 3, 2, 5)
    found = BatchStd()(x)
    assert found.shape == (images, 4, 2, 5)
    assert torch.equal(found[:, :3], x)
    for group in range(groups):
        members = range(group, images, groups)
        assert images // groups <= len(members) <= 4
        each = np.sqrt(x.numpy()[list(members)].var(axis=0) + 1e-8)
        for image in members:
            assert found[image, 3].numpy() == pytest.approx(np.full((2, 5), each.mean()), rel=1e-5)


def test_groups_are_the_authors_where_four_divides_the_batch() -> None:
    x = torch.randn(12, 3, 4, 4)
    grouped = x.view(4, 3, 3, 4, 4)  # [group, number, C, H, W], as they reshape
    expected = (grouped.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3)).repeat(4)
    torch.testing.assert_close(BatchStd()(x)[:, 3, 0, 0], expected)


def test_evaluation_shows_the_usual_deviation() -> None:
    layer, x = BatchStd(), torch.randn(8, 3, 4, 4)
    for _ in range(200):
        shown = layer(x)[:, 3].mean()
    layer.eval()
    torch.testing.assert_close(layer(x[:1])[:, 3], shown.expand(1, 4, 4), rtol=1e-4, atol=0)


def test_resampling_by_hand() -> None:
    x = torch.tensor([[1.0, 3, 5], [5, 7, 9], [2, 4, 8]])[None, None]
    assert halve(x)[0, 0].tolist() == [[4, 7], [3, 8]]
    assert twice(halve(x), (3, 3))[0, 0].tolist() == [[4, 4, 7], [4, 4, 7], [3, 3, 8]]
    y = torch.rand(2, 3, 5, 4)
    for size in ((10, 8), (9, 8), (9, 7)):
        torch.testing.assert_close(halve(twice(y, size)), y)


def test_sizes_and_channels() -> None:
    assert resolutions((28, 28)) == [(7, 7), (14, 14), (28, 28)]
    assert resolutions((96, 64)) == [(6, 4), (12, 8), (24, 16), (48, 32), (96, 64)]
    assert resolutions((33, 17)) == [(9, 5), (17, 9), (33, 17)]
    assert [side for side, _ in resolutions((1024, 1024))] == [4 * 2**depth for depth in range(9)]
    assert [channels(d, 8192, 512) for d in range(9)] == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    with pytest.raises(FitError, match="7x7 pixels are too small"):
        ProGANGenerator((1, 7, 7), 16)
    with pytest.raises(OptionError, match="fmap_max must be at least 1"):
        ProGANDiscriminator((1, 28, 28), 16, fmap_max=0)


Row = tuple[str, int, int, int]
"""(kernel, channels, side, parameters) of what one layer makes."""

UP: list[Row] = [("4x4", 512, 4, 4_194_816), ("3x3", 512, 4, 2_359_808)]
for side in (8, 16, 32):
    UP += [("3x3", 512, side, 2_359_808)] * 2
UP += [("3x3", 256, 64, 1_179_904), ("3x3", 256, 64, 590_080), ("3x3", 128, 128, 295_040), ("3x3", 128, 128, 147_584)]
UP += [("3x3", 64, 256, 73_792), ("3x3", 64, 256, 36_928), ("3x3", 32, 512, 18_464), ("3x3", 32, 512, 9_248)]
UP += [("3x3", 16, 1024, 4_624), ("3x3", 16, 1024, 2_320), ("1x1", 3, 1024, 51)]

DOWN: list[Row] = [("1x1", 16, 1024, 64), ("3x3", 16, 1024, 2_320), ("3x3", 32, 1024, 4_640)]
DOWN += [("3x3", 32, 512, 9_248), ("3x3", 64, 512, 18_496), ("3x3", 64, 256, 36_928), ("3x3", 128, 256, 73_856)]
DOWN += [("3x3", 128, 128, 147_584), ("3x3", 256, 128, 295_168), ("3x3", 256, 64, 590_080), ("3x3", 512, 64, 1_180_160)]
for side in (32, 16, 8):
    DOWN += [("3x3", 512, side, 2_359_808)] * 2
DOWN += [("3x3", 512, 4, 2_364_416), ("4x4", 512, 1, 4_194_816), ("fc", 1, 1, 513)]
"""Table 2, with the parameters that it rounds (4.2M, 2.4M, …, 51) written out. A dense layer on 4×4 is its Conv 4×4."""


def rows(net: nn.Module, x: Tensor) -> list[Row]:
    """What a forward pass goes through, in order."""
    found: list[Row] = []

    def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(layer, (EqualConv, EqualLinear, Projection))
        if isinstance(layer, EqualLinear):
            kernel = "fc" if inputs[0].shape[1] == 512 else "4x4"
        else:
            kernel = "{}x{}".format(*layer.weight.shape[2:])
        side = output.shape[2] if output.dim() == 4 else 1
        found.append((kernel, output.shape[1], side, sum(p.numel() for p in layer.parameters())))

    for module in net.modules():
        if isinstance(module, (EqualConv, EqualLinear, Projection)):
            module.register_forward_hook(note)
    net(x)
    return found


@pytest.fixture(scope="module")
def full_size() -> Sequence[gantk.Part]:
    """Both networks at 1024×1024 with the defaults, without memory for their weights; where they stand is known."""
    with torch.device("meta"):
        nets = ProGANGenerator((3, 1024, 1024), 512), ProGANDiscriminator((3, 1024, 1024), 512)
    for net in nets:
        net.growth.depth_buffer, net.growth.alpha_buffer = torch.tensor(8), torch.tensor(1.0)
    return nets


def test_the_networks_are_table_2(full_size: Sequence[gantk.Part]) -> None:
    generator, discriminator = full_size
    for net, table, x in (
        (generator, UP, torch.empty(4, 512, device="meta")),
        (discriminator, DOWN, torch.empty(4, 3, 1024, 1024, device="meta")),
    ):
        assert rows(net, x) == table
        assert sum(row[3] for row in table) == pytest.approx(23.1e6, abs=0.05e6)


def test_where_activations_and_normalizations_are() -> None:
    """LeakyReLU(0.2) after every layer but to-image and the logit; the last layer is linear."""
    generator, discriminator = ProGANGenerator((3, 32, 32), 8, **SMALL), ProGANDiscriminator((3, 32, 32), 8, **SMALL)
    for net, linear in ((generator, 4), (discriminator, 1)):
        layers = [m for m in net.modules() if isinstance(m, (EqualConv, EqualLinear, Projection))]
        activations = [m for m in net.modules() if isinstance(m, nn.LeakyReLU)]
        assert {m.negative_slope for m in activations} == {0.2}
        assert len(activations) == len(layers) - linear
        gains = [m.scale * math.sqrt(m.weight[0].numel()) for m in layers if not isinstance(m, Projection)]
        assert sum(gain == pytest.approx(1) for gain in gains) == linear
        assert sum(gain == pytest.approx(math.sqrt(2)) for gain in gains) == len(gains) - linear
    maps: list[Tensor] = []
    for module in (generator.images.base, *generator.images.doublings):
        module.register_forward_hook(lambda _m, _i, output: maps.append(output))
    noise = torch.randn(2, 8)
    images = generator(noise)
    assert len(maps) == 4
    for each in maps:
        torch.testing.assert_close(each.square().mean(dim=1), torch.ones_like(each[:, 0]), rtol=1e-3, atol=1e-3)
    assert torch.allclose(generator(4 * noise), images, atol=1e-3), "latents are brought to one length"


def test_images_are_the_linear_layers_cut_to_the_range() -> None:
    generator = ProGANGenerator((3, 32, 32), 8, **SMALL)
    nn.init.constant_(generator.images.to_image[3].bias, 0.9)
    drawn = generator.images(torch.randn(4, 8))
    assert drawn.max() > 1
    assert torch.equal(generator(torch.randn(4, 8)).amax(), torch.tensor(1.0))
    generator.growth.set(0)
    noise = torch.randn(4, 8)
    small = generator.images(noise)
    assert small.shape == (4, 3, 4, 4)
    blocks = small.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3).clamp(-1, 1)
    assert torch.equal(generator(noise), blocks)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_resolution_fades_into_the_generator(shape: ImageShape) -> None:
    images, noise = ProGANGenerator(shape, 8, **SMALL).images, torch.randn(3, 8)
    sizes = images.growth.sizes
    assert sizes[-1] == shape[1:]
    for depth in range(1, len(sizes)):
        below, above = twice(images.drawn(noise, depth - 1), sizes[depth]), images.drawn(noise, depth)
        assert above.shape == (3, shape[0], *sizes[depth])
        torch.testing.assert_close(images.drawn(noise, depth, 0.0), below)
        torch.testing.assert_close(images.drawn(noise, depth, 1.0), above)
        torch.testing.assert_close(images.drawn(noise, depth, 0.25), 0.75 * below + 0.25 * above)
        images.growth.set(depth, 0.25)
        assert torch.equal(images(noise), images.drawn(noise, depth, 0.25))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_resolution_fades_into_the_discriminator(shape: ImageShape) -> None:
    judge = ProGANDiscriminator(shape, 8, code=True, **SMALL)
    for depth, size in enumerate(judge.growth.sizes[1:], start=1):
        images = torch.rand(4, shape[0], *size) * 2 - 1
        full = judge(images)
        below = judge(halve(images))
        assert len(full.hidden) == depth + 1
        judge.growth.set(depth, 0.0)
        faded = judge(images)
        for name in ("logits", "code"):
            torch.testing.assert_close(getattr(faded, name), getattr(below, name))
        judge.growth.set(depth, 0.5)
        between = judge(images)
        torch.testing.assert_close(between.hidden[0], (full.hidden[0] + faded.hidden[0]) / 2)
        assert torch.equal(judge(halve(images)).logits, below.logits), "only the current resolution fades in"
        judge.growth.set(depth, 1.0)
        assert torch.equal(judge(images).logits, full.logits)


def test_other_sizes_are_refused() -> None:
    judge = ProGANDiscriminator((3, 32, 32), 8, **SMALL)
    with pytest.raises(FitError, match="images of 5x5 pixels have none of the resolutions 4x4, 8x8, 16x16, 32x32"):
        judge(torch.zeros(2, 3, 5, 5))


def test_growth_shows_what_is_judged() -> None:
    growth, images = Growth([(2, 2), (4, 4), (8, 8)]), torch.rand(2, 1, 8, 8)
    assert torch.equal(growth.shrunk(images), images)
    growth.set(1, 0.25)
    medium, small = F.avg_pool2d(images, 2), F.avg_pool2d(images, 4)
    expected = 0.25 * medium + 0.75 * small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(growth.shrunk(images), expected)
    torch.testing.assert_close(growth.enlarged(medium), medium.repeat_interleave(2, 2).repeat_interleave(2, 3))
    growth.set(0)
    torch.testing.assert_close(growth.shrunk(images), small)


def test_growth_that_something_else_has_written_is_read_again() -> None:
    """Checkpoints and averages write to the buffers; what `set` was told is then no longer so."""
    growth = Growth([(4, 4), (8, 8)])
    growth.set(1, 0.3)
    assert (growth.depth, growth.alpha) == (1, float(growth.alpha_buffer))
    growth.alpha_buffer.copy_(torch.tensor(0.75))
    assert (growth.depth, growth.alpha) == (1, 0.75)
    growth.set(1, 0.25)
    growth.depth_buffer.data = torch.tensor(0)
    assert (growth.depth, growth.alpha) == (0, 0.25)
