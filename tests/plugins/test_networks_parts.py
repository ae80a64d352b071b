"""Every bundled generator and discriminator, for any image shape."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantk import Discriminator, Generator
from gantk.errors import FitError, OptionError
from gantk_classic.dcgan import DCGANDiscriminator, DCGANGenerator
from gantk_classic.mlp import MLPDiscriminator, MLPGenerator
from gantk_classic.vae import VAE
from gantk_degan.networks import DEGANDiscriminator, DEGANGenerator

SHAPES = [(1, 28, 28), (3, 32, 32), (4, 96, 64), (1, 33, 17), (3, 64, 64), (2, 9, 31), (3, 128, 128), (3, 8, 8)]
NOISE = 7
# Narrow, so that the whole grid of networks and shapes is quick; widths do not change sizes.
GENERATORS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gan": (MLPGenerator, {"widths": (16, 16)}),
    "dcgan": (DCGANGenerator, {"width": 4}),
    "dcgan-5": (DCGANGenerator, {"width": 4, "kernel": 5, "norm": "none"}),
    "vae": (VAE, {"width": 4}),
    "degan": (DEGANGenerator, {"fc": 64}),
    "degan-ii": (DEGANGenerator, {"fc": 64, "widths": (8,), "closing_conv": False}),
    "degan-iii": (DEGANGenerator, {"fc": 64, "widths": (8, 4), "closing_conv": True}),
}
DISCRIMINATORS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gan": (MLPDiscriminator, {"widths": (16, 8)}),
    "dcgan": (DCGANDiscriminator, {"width": 4}),
    "dcgan-layer": (DCGANDiscriminator, {"width": 4, "norm": "layer"}),
    "dcgan-instance": (DCGANDiscriminator, {"width": 4, "norm": "instance", "kernel": 5}),
    "dcgan-none": (DCGANDiscriminator, {"width": 4, "norm": "none"}),
    "degan": (DEGANDiscriminator, {"widths": (4, 8), "fc": 16}),
    "degan-layer": (DEGANDiscriminator, {"widths": (4, 8), "fc": 16, "norm": "layer"}),
    "degan-instance": (DEGANDiscriminator, {"widths": (4, 8), "fc": 16, "norm": "instance"}),
}
Shape = tuple[int, int, int]


def generator(name: str, shape: Shape) -> Generator:
    torch.manual_seed(0)
    make, options = GENERATORS[name]
    part = make(shape, NOISE, **options)
    assert isinstance(part, Generator)
    return part


def discriminator(name: str, shape: Shape, code: bool = False) -> Discriminator:
    torch.manual_seed(0)
    make, options = DISCRIMINATORS[name]
    part = make(shape, NOISE, code=code, **options)
    assert isinstance(part, Discriminator)
    return part


def shape_id(shape: Shape) -> str:
    return "x".join(map(str, shape))


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
@pytest.mark.parametrize("name", GENERATORS)
def test_generators_make_images_of_any_shape(name: str, shape: Shape) -> None:
    part = generator(name, shape)
    images = part(3 * torch.randn(4, NOISE))
    assert images.shape == (4, *shape)
    assert part.image_shape == shape
    assert images.abs().max() <= 1
    assert (images[0] != images[1]).any()


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_judge_images_of_any_shape(name: str, shape: Shape) -> None:
    part = discriminator(name, shape, code=True)
    verdict = part(torch.rand(4, *shape) * 2 - 1)
    assert verdict.logits.shape == (4,)
    assert verdict.code.shape == (4, NOISE)
    assert verdict.classes is None
    assert {"logits", "hidden", "code"} <= part.provides
    sizes = [math.prod(h.shape[2:]) for h in verdict.hidden]
    assert all(len(h) == 4 for h in verdict.hidden)
    assert sizes == sorted(sizes, reverse=True), "the deepest map comes last"


@pytest.mark.parametrize("name", GENERATORS)
def test_gradients_reach_every_parameter_of_a_generator(name: str) -> None:
    part = generator(name, (2, 33, 17))
    images = part(torch.randn(4, NOISE))
    loss = (images * torch.randn_like(images)).sum()
    if "posterior" in part.provides:
        posterior = part.encode(images)
        loss = loss + (posterior.mean * posterior.log_variance).sum()
    loss.backward()
    assert_gradients(part)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradients_reach_every_parameter_and_the_images(name: str) -> None:
    part = discriminator(name, (2, 33, 17), code=True)
    images = torch.randn(4, 2, 33, 17, requires_grad=True)
    verdict = part(images)
    (verdict.logits.square().sum() + verdict.code.square().sum()).backward()
    assert_gradients(part)
    assert images.grad is not None
    assert images.grad.flatten(1).any(dim=1).all()


def assert_gradients(part: nn.Module) -> None:
    for name, parameter in part.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_per_sample_is_provided_by_those_that_are(name: str) -> None:
    part = discriminator(name, (1, 28, 28))
    images = torch.randn(4, 1, 28, 28)
    others = torch.cat([images[:2], 5 * images[2:] + 3])
    independent = torch.allclose(part(images).logits[:2], part(others).logits[:2], atol=1e-6)
    assert independent == ("per-sample" in part.provides)


@pytest.mark.parametrize("make", [MLPDiscriminator, DCGANDiscriminator, DEGANDiscriminator])
def test_offered_options_provide_what_they_are_offered_for(make: type[Discriminator]) -> None:
    for need, options in make.offers.items():
        assert need not in make((1, 28, 28), NOISE).provides
        assert need in make((1, 28, 28), NOISE, **options).provides


@pytest.mark.parametrize("make", [MLPDiscriminator, DCGANDiscriminator, DEGANDiscriminator])
def test_no_code_unless_asked_for(make: type[Discriminator]) -> None:
    part = make((1, 28, 28), NOISE)
    assert part(torch.zeros(2, 1, 28, 28)).code is None
    assert "code" not in part.provides


def widths_of(part: nn.Module, kind: type[nn.Conv2d] | type[nn.ConvTranspose2d]) -> list[int]:
    return [m.out_channels for m in part.modules() if isinstance(m, kind)]


def test_dcgan_channels_double_up_to_eight_times_the_width() -> None:
    assert widths_of(DCGANDiscriminator((3, 128, 128), NOISE, width=4), nn.Conv2d) == [4, 8, 16, 32, 32]
    assert widths_of(DCGANGenerator((3, 128, 128), NOISE, width=4), nn.ConvTranspose2d) == [32, 16, 8, 4, 3]
    assert widths_of(DCGANDiscriminator((1, 28, 28), NOISE), nn.Conv2d) == [64, 128]


def test_dcgan_follows_the_rules_of_radford_et_al() -> None:
    g, d = DCGANGenerator((3, 64, 64), 100), DCGANDiscriminator((3, 64, 64), 100)
    leaves_g, leaves_d = ([m for m in net.modules() if not list(m.children())] for net in (g, d))
    assert not any(isinstance(m, nn.MaxPool2d | nn.AvgPool2d) for m in leaves_g + leaves_d)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in leaves_g) == 4, "all but the output layer"
    assert sum(isinstance(m, nn.BatchNorm2d) for m in leaves_d) == 3, "all but the input layer"
    assert isinstance(leaves_g[-1], nn.Tanh)
    assert {m.negative_slope for m in leaves_d if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert [m.out_features for m in leaves_d if isinstance(m, nn.Linear)] == [1], "no hidden fully connected layer"


@pytest.mark.parametrize("std", [0.02, 0.00282])
def test_initial_weights_have_the_asked_for_spread(std: float) -> None:
    torch.manual_seed(0)
    shape = (3, 32, 32)
    for part in (
        DCGANGenerator(shape, NOISE, init_std=std),
        DCGANDiscriminator(shape, NOISE, init_std=std),
        DEGANGenerator(shape, NOISE, init_std=std),
        DEGANDiscriminator(shape, NOISE, init_std=std),
    ):
        for layer in part.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.weight.numel() > 2000:
                assert layer.weight.std().item() == pytest.approx(std, rel=0.1)
                assert layer.weight.mean().item() == pytest.approx(0, abs=std / 10)


def test_the_sigmoid_output_is_a_sigmoid_moved_to_the_image_range() -> None:
    torch.manual_seed(0)
    part = VAE((1, 28, 28), NOISE, width=4, output="sigmoid")
    noise = torch.randn(3, NOISE)
    expected: Tensor = 2 * torch.sigmoid(part.decoder[:-1](noise)) - 1
    torch.testing.assert_close(part(noise), expected)


def test_the_posterior_stays_finite_however_far_off_the_encoder_is() -> None:
    torch.manual_seed(0)
    part = VAE((1, 28, 28), NOISE, width=4).eval()
    posterior = part.encode(1e6 * torch.randn(3, 1, 28, 28))
    assert posterior.mean.shape == posterior.log_variance.shape == (3, NOISE)
    assert posterior.log_variance.exp().isfinite().all()
    assert posterior.sample().isfinite().all()


def test_encoder_grows_with_the_image_and_not_its_linear_layer() -> None:
    for side, layers in ((8, 3), (28, 3), (64, 3), (65, 4), (256, 5)):
        part = VAE((1, side, side), NOISE, width=4)
        assert len(widths_of(part.encoder, nn.Conv2d)) == layers


def test_dropout_is_an_option() -> None:
    images = torch.randn(2, 1, 28, 28)
    for dropout, same in ((0.0, True), (0.9, False)):
        part = VAE((1, 28, 28), NOISE, width=4, dropout=dropout)
        assert torch.equal(part.encode(images).mean, part.encode(images).mean) == same


@pytest.mark.parametrize("side", [100, 200])
def test_large_odd_sizes_do_not_blow_up_the_fully_connected_layers(side: int) -> None:
    with torch.device("meta"):
        parts = DEGANGenerator((3, side, side), NOISE), DEGANDiscriminator((3, side, side), NOISE)
    assert all(sum(p.numel() for p in part.parameters()) < 2e7 for part in parts)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (DCGANGenerator, (1, 7, 28)),
        (DCGANDiscriminator, (1, 28, 7)),
        (VAE, (1, 4, 28)),
        (DEGANGenerator, (1, 2, 28)),
        (DEGANDiscriminator, (1, 28, 2)),
    ],
)
def test_images_that_are_too_small_are_refused_with_their_size(make: type[nn.Module], shape: Shape) -> None:
    with pytest.raises(FitError, match=f"{shape[1]}x{shape[2]} pixels"):
        make(shape, NOISE)


@pytest.mark.parametrize(
    ("make", "options", "given"),
    [
        (MLPGenerator, {"widths": ()}, r"\(\)"),
        (MLPDiscriminator, {"widths": (4, 0)}, r"\(4, 0\)"),
        (DCGANGenerator, {"width": 0}, "0"),
        (DCGANGenerator, {"kernel": 2}, "2"),
        (DCGANDiscriminator, {"init_std": 0.0}, "0.0"),
        (VAE, {"dropout": 1.0}, "1.0"),
        (VAE, {"width": 1}, "1"),
        (DEGANGenerator, {"fc": 0}, "0"),
        (DEGANGenerator, {"widths": ()}, r"\(\)"),
        (DEGANDiscriminator, {"fc": -1}, "-1"),
        (DEGANDiscriminator, {"init_std": -1.0}, "-1.0"),
    ],
)
def test_options_out_of_range_are_refused_with_what_was_given(
    make: type[nn.Module], options: dict[str, Any], given: str
) -> None:
    with pytest.raises(OptionError, match=rf"not {given}\."):
        make((1, 28, 28), NOISE, **options)
