"""AGE's noise on the sphere, and its networks against the authors'."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantk.errors import FitError, OptionError
from gantk.parts import ImageShape
from gantk_age.networks import AGEGenerator
from gantk_age.noise import Sphere


def test_noise_is_uniform_on_the_sphere() -> None:
    noise = Sphere(dim=3).sample(4000, torch.Generator().manual_seed(0)).double()
    assert torch.allclose(noise.norm(dim=1), torch.ones(4000, dtype=torch.double), atol=1e-6)
    for values in noise.T:  # Archimedes: each coordinate of the sphere in three dimensions is uniform in [-1, 1]
        steps = torch.arange(1, 4001) / 4000
        assert ((values.sort().values + 1) / 2 - steps).abs().max() * 4000**0.5 < 1.95
    with pytest.raises(OptionError, match="at least 2"):
        Sphere(dim=1)


AUTHORS: dict[str, Any] = {
    # models/dcgan32px.py with nz=128, and models/dcgan64px.py with nz=64: layer, channels, side of its output
    "32": {
        "image": (3, 32, 32),
        "noise": 128,
        "decoder": "up 512 4 BN relu up 256 8 BN relu up 128 16 BN relu up 128 32 BN relu conv+ 3 32 tanh",
        "encoder": "conv 64 16 lrelu conv 128 8 BN lrelu conv 256 4 BN lrelu conv+ 128 2 mean",
        "parameters": (3_934_595, 1_183_616),
    },
    "64": {
        "image": (3, 64, 64),
        "noise": 64,
        "decoder": "up 512 4 BN relu up 256 8 BN relu up 128 16 BN relu up 64 32 BN relu up 3 64 tanh",
        "encoder": "conv 64 32 lrelu conv 128 16 BN lrelu conv 256 8 BN lrelu conv 512 4 BN lrelu conv+ 64 1",
        "parameters": (3_281_792, 3_281_728),
    },
}  # fmt: skip
WORDS: dict[type[nn.Module], str] = {
    nn.BatchNorm2d: "BN", nn.ReLU: "relu", nn.LeakyReLU: "lrelu", nn.Tanh: "tanh", nn.AdaptiveAvgPool2d: "mean"
}  # fmt: skip


def layers(network: nn.Module, given: Tensor) -> list[str]:
    """What a network computes, layer by layer: convolutions with their channels and side; + is a bias."""
    words: list[str] = []

    def note(layer: nn.Module, _: Any, output: Tensor) -> None:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            assert layer.kernel_size == ((1, 1) if output.shape[1] == 3 and layer.bias is not None else (4, 4))
            kind = "up" if isinstance(layer, nn.ConvTranspose2d) else "conv"
            words.append(f"{kind}{'+' if layer.bias is not None else ''} {output.shape[1]} {output.shape[2]}")
        elif type(layer) in WORDS:
            words.append(WORDS[type(layer)])

    handles = [layer.register_forward_hook(note) for layer in network.modules()]
    network(given)
    for handle in handles:
        handle.remove()
    return words


@pytest.mark.parametrize("table", AUTHORS.values(), ids=AUTHORS)
def test_networks_are_the_authors(table: dict[str, Any]) -> None:
    network = AGEGenerator(table["image"], table["noise"])
    decoder = layers(network.decoder, torch.randn(2, table["noise"]))
    encoder = layers(network.encoder, torch.rand(2, *table["image"]))
    assert " ".join(decoder) == table["decoder"]
    assert " ".join(encoder) == table["encoder"]
    halves = (network.decoder, network.encoder)
    assert tuple(sum(p.numel() for p in half.parameters()) for half in halves) == table["parameters"]


def test_initial_weights_are_the_authors() -> None:
    torch.manual_seed(0)
    for layer in AGEGenerator((3, 32, 32), 128).modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.weight.numel() > 1000:
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert abs(layer.weight.mean().item()) < 0.002
        if isinstance(layer, nn.BatchNorm2d):
            assert abs(layer.weight.mean().item() - 1) < 0.01
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.5)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 48), (1, 17, 33)])
def test_codes_and_noise_are_on_the_sphere(shape: ImageShape) -> None:
    network = AGEGenerator(shape, 8, width=4).eval()
    posterior = network.encode(torch.rand(3, *shape))
    assert torch.allclose(posterior.mean.norm(dim=1), torch.ones(3), atol=1e-6)
    assert torch.equal(posterior.log_variance, torch.full((3, 8), -30.0))
    assert torch.allclose(posterior.sample(), posterior.mean, atol=1e-5)
    noise = torch.randn(3, 8)
    assert torch.allclose(network(noise), network(7 * noise), atol=1e-5)
    flat = AGEGenerator(shape, 8, width=4, sphere=False).eval()
    assert not torch.allclose(flat.encode(torch.rand(3, *shape)).mean.norm(dim=1), torch.ones(3), atol=1e-3)
    assert not torch.allclose(flat(noise), flat(7 * noise))


def test_a_sphere_of_one_dimension_is_refused() -> None:
    with pytest.raises(FitError, match="use sphere=false"):
        AGEGenerator((1, 16, 16), 1)
    assert AGEGenerator((1, 16, 16), 1, width=2, sphere=False)(torch.zeros(1, 1)).shape == (1, 1, 16, 16)
