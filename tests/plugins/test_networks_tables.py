"""The DE-GAN paper's Tables II, III and IV, transcribed, against the networks layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantk import Discriminator, Generator
from gantk.nn import output_activation
from gantk_classic.vae import VAE
from gantk_degan.networks import DEGANDiscriminator, DEGANGenerator

NOISE = 128
Kinds = dict[type[nn.Module], str]

AFFINE: Kinds = {nn.Linear: "fc", nn.ConvTranspose2d: "up", nn.Conv2d: "conv"}
NORMS: Kinds = {nn.BatchNorm1d: "BN", nn.BatchNorm2d: "BN"}
ACTIVATIONS: Kinds = {
    nn.ReLU: "relu",
    nn.LeakyReLU: "lrelu",
    nn.Tanh: "tanh",
    type(output_activation("sigmoid")): "sigmoid",
    nn.Dropout: "dropout",
}
SILENT = (nn.Flatten, nn.Unflatten, nn.Identity)

# Readings of what the tables leave out: BN and relu after each convolution of the VAE; BN and relu after every
# upsampler of the generator; a closing convolution to the image's channels; FC 64 (lrelu) before FC 1; the
# encoder's fully connected layer gives mean and log-variance.
ENCODER = ["5x5x32 down {0} BN relu", "5x5x64 down {1} BN relu", "5x5x128 down {2} BN relu dropout", "fc 256"]
DEEP = [
    "fc 1024 BN relu",
    "5x5x512 up {0} BN relu",
    "5x5x256 up {1} BN relu",
    "5x5x512 up {2} BN relu",
    "5x5x64 up {3} BN relu",
    "5x5x3 conv {3} tanh",
]
DEEP_D = [
    "5x5x64 down {0} lrelu",
    "5x5x128 down {1} BN lrelu",
    "5x5x256 down {2} BN lrelu",
    "fc 64 lrelu",
    "fc 1",
]


def at(rows: list[str], *sides: int) -> list[str]:
    return [row.format(*(f"{side}x{side}" for side in sides)) for row in rows]


TABLES: dict[str, dict[str, Any]] = {
    "II": {
        "image": (1, 28, 28),
        "output": "sigmoid",
        "decoder": [
            "3x3x128 up 3x3 BN relu",
            "5x5x64 up 7x7 BN relu",
            "5x5x32 up 14x14 BN relu",
            "5x5x1 up 28x28 sigmoid",
        ],
        "encoder": at(ENCODER, 14, 7, 4),
        "generator": ["fc 1024 BN relu", "fc 6272 BN relu", "5x5x128 up 14x14 BN relu", "5x5x1 up 28x28 sigmoid"],
        "discriminator": ["5x5x11 down 14x14 lrelu", "5x5x74 down 7x7 BN lrelu", "fc 1024 BN lrelu", "fc 1"],
    },
    "III": {
        "image": (3, 64, 64),
        "output": "tanh",
        "decoder": [
            "4x4x128 up 4x4 BN relu",
            "5x5x64 up 8x8 BN relu",
            "5x5x32 up 16x16 BN relu",
            "5x5x16 up 32x32 BN relu",
            "5x5x3 up 64x64 tanh",
        ],
        "encoder": at(ENCODER, 32, 16, 8),
        "generator": at(DEEP, 8, 16, 32, 64),
        "discriminator": at(DEEP_D, 32, 16, 8),
    },
    "IV": {
        "image": (3, 32, 32),
        "output": "tanh",
        "decoder": [
            "4x4x128 up 4x4 BN relu",
            "5x5x64 up 8x8 BN relu",
            "5x5x32 up 16x16 BN relu",
            "5x5x3 up 32x32 tanh",
        ],
        "encoder": at(ENCODER, 16, 8, 4),
        "generator": at(DEEP, 4, 8, 16, 32),
        "discriminator": at(DEEP_D, 16, 8, 4),
    },
}


def described(net: nn.Module, run: Callable[[], Any]) -> list[str]:
    """What a forward pass went through: one row per linear or convolutional layer, with what followed it."""
    rows: list[str] = []

    def note(layer: nn.Module, _: Any, output: Tensor) -> None:
        if type(layer) in AFFINE:
            rows.append(affine(layer, output))
        elif not isinstance(layer, SILENT):
            rows[-1] += " " + {**NORMS, **ACTIVATIONS}[type(layer)]

    leaves = [m for m in net.modules() if not list(m.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    run()
    for hook in hooks:
        hook.remove()
    return rows


def affine(layer: nn.Module, output: Tensor) -> str:
    kind = AFFINE[type(layer)]
    if isinstance(layer, nn.Linear):
        return f"{kind} {output.shape[1]}"
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    height, width = output.shape[2:]
    kernel = "x".join(map(str, layer.kernel_size))
    if isinstance(layer, nn.Conv2d):
        kind = {(1, 1): "conv", (2, 2): "down"}[layer.stride]  # type: ignore[index]
    else:
        assert layer.stride == (2, 2)
    return f"{kernel}x{output.shape[1]} {kind} {height}x{width}"


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> dict[str, Any]:
    return TABLES[request.param]


def test_the_autoencoder_is_the_tables(table: dict[str, Any]) -> None:
    vae = VAE(table["image"], NOISE, output=table["output"])
    assert described(vae.decoder, lambda: vae(torch.randn(2, NOISE))) == table["decoder"]
    assert described(vae.encoder, lambda: vae.encode(torch.randn(2, *table["image"]))) == table["encoder"]


def test_the_generator_is_the_tables(table: dict[str, Any]) -> None:
    generator = DEGANGenerator(table["image"], NOISE, output=table["output"])
    assert described(generator, lambda: generator(torch.randn(2, NOISE))) == table["generator"]


def test_the_discriminator_is_the_tables(table: dict[str, Any]) -> None:
    discriminator = DEGANDiscriminator(table["image"], NOISE)
    assert described(discriminator, lambda: discriminator(torch.randn(2, *table["image"]))) == table["discriminator"]


def test_base_maps_of_tables_iii_and_iv() -> None:
    """1024 = 4·4·64 = 2·2·256: the first fully connected layer is the base map itself."""
    for side, channels in ((64, 64), (32, 256)):
        generator = DEGANGenerator((3, side, side), NOISE)
        assert generator.project(torch.randn(2, NOISE)).shape == (2, channels, side // 16, side // 16)


@pytest.mark.parametrize("make", [VAE, DEGANGenerator, DEGANDiscriminator])
def test_no_layer_before_a_normalization_has_a_bias(make: type[Generator | Discriminator]) -> None:
    net = make((1, 28, 28), NOISE)
    leaves = [m for m in net.modules() if not list(m.children()) and not isinstance(m, SILENT)]
    for layer, after in pairwise(leaves):
        if type(layer) in AFFINE:
            assert (layer.bias is None) == (type(after) in NORMS)


def test_leaky_slopes_are_a_fifth() -> None:
    net = DEGANDiscriminator((1, 28, 28), NOISE)
    assert {m.negative_slope for m in net.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize(("fc_norm", "last"), [(True, "fc 64 BN lrelu"), (False, "fc 64 lrelu")])
def test_whether_the_fully_connected_layer_is_normalized_can_be_chosen(fc_norm: bool, last: str) -> None:
    for shape in ((1, 28, 28), (3, 32, 32)):  # of Table II and of Table IV
        net = DEGANDiscriminator(shape, NOISE, fc=64, fc_norm=fc_norm)
        assert described(net, lambda net=net, shape=shape: net(torch.randn(2, *shape)))[-2:] == [last, "fc 1"]  # type: ignore[misc]
