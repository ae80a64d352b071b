"""AEGAN's networks against the paper's description and the sizes that its authors published for 512×512."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from gantk.errors import FitError, OptionError
from gantk.nn import ResidualBlock, halve_until
from gantk_aegan.denoiser import Denoiser
from gantk_aegan.discriminator import AEGANDiscriminator
from gantk_aegan.generator import AEGANGenerator

NOISE = 100
PHOTOGRAPH = (3, 512, 512)
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def table(network: nn.Module, given: Tensor) -> list[str]:
    """One row per strided layer: its kernel, the channels and size that it makes, and what follows it."""
    rows: list[str] = []
    names = {nn.BatchNorm2d: "BN", nn.Tanh: "tanh", nn.Dropout: "dropout"}

    def note(module: nn.Module, arguments: tuple[Tensor, ...], made: Tensor) -> None:
        if isinstance(module, CONVOLUTIONS):
            kernel, bias = module.kernel_size[0], "" if module.bias is None else " bias"
            rows.append(f"{kernel}x{kernel} {made.shape[1]}@{made.shape[2]}{bias}")
        elif isinstance(module, ResidualBlock):
            rows[-1] += " residual"
        elif isinstance(module, nn.LeakyReLU):
            rows[-1] += f" lrelu {module.negative_slope:g}" if module.negative_slope else " relu"
        elif isinstance(module, nn.Linear):
            rows.append(f"linear {made.shape[1]}")
        elif isinstance(module, nn.ReLU):
            rows[-1] += " relu"
        elif type(module) in names and not (isinstance(module, nn.Dropout) and not module.p):
            rows[-1] += f" {names[type(module)]}"

    inside = {part for block in network.modules() if isinstance(block, ResidualBlock) for part in block.modules()}
    blocks = {block for block in network.modules() if isinstance(block, ResidualBlock)}
    hooks = [m.register_forward_hook(note) for m in network.modules() if m not in inside or m in blocks]
    network(given)
    for hook in hooks:
        hook.remove()
    return rows


def generator(shape: tuple[int, int, int] = PHOTOGRAPH, **options: int) -> AEGANGenerator:
    with torch.device("meta"):
        return AEGANGenerator(shape, NOISE, **options)


def empty(*shape: int) -> Tensor:
    return torch.empty(2, *shape, device="meta")


def test_the_generator_of_embeddings_at_512() -> None:
    assert table(generator().embedding, empty(NOISE)) == [
        "4x4 512@4 BN relu residual",
        "4x4 256@8 BN relu residual",
        "4x4 128@16 BN relu residual",
        "4x4 64@32 bias tanh",
    ]


def test_the_encoder_at_512() -> None:
    assert table(generator().encoder, empty(*PHOTOGRAPH)) == [
        "4x4 64@256 bias lrelu 0.2 residual",
        "4x4 64@128 BN lrelu 0.2 residual",
        "4x4 64@64 BN lrelu 0.2 residual",
        "4x4 64@32 bias lrelu 0.2",
    ]


def test_the_decoder_at_512() -> None:
    assert table(generator().decoder, empty(64, 32, 32)) == [
        "4x4 64@64 BN relu residual",
        "4x4 64@128 BN relu residual",
        "4x4 64@256 BN relu residual",
        "4x4 3@512 bias tanh",
    ]


def test_the_discriminator_of_embeddings_at_512() -> None:
    with torch.device("meta"):
        network = AEGANDiscriminator((64, 32, 32), NOISE, norm_first=True)
    rows = ["4x4 128@16 BN lrelu 0.2", "4x4 256@8 BN lrelu 0.2", "4x4 512@4 BN lrelu 0.2", "linear 1"]
    found = table(_Logits(network), empty(64, 32, 32))
    assert found == rows


def test_the_discriminator_of_images_at_512() -> None:
    with torch.device("meta"):
        network = AEGANDiscriminator(PHOTOGRAPH, NOISE)
    assert table(_Logits(network), empty(*PHOTOGRAPH)) == [
        "4x4 64@256 bias lrelu 0.2",
        *(f"4x4 64@{side} BN lrelu 0.2" for side in (128, 64, 32)),
        "4x4 128@16 BN lrelu 0.2",
        "4x4 256@8 BN lrelu 0.2",
        "4x4 512@4 BN lrelu 0.2",
        "linear 1",
    ]


def test_the_denoiser_at_512() -> None:
    with torch.device("meta"):
        network = Denoiser(PHOTOGRAPH, NOISE).network.train()
    dropped = [f"4x4 512@{side} BN dropout relu" for side in (2, 4, 8)]
    assert table(network, empty(*PHOTOGRAPH)) == [
        "4x4 64@256 bias lrelu 0.2",
        "4x4 128@128 BN lrelu 0.2",
        "4x4 256@64 BN lrelu 0.2",
        *(f"4x4 512@{side} BN lrelu 0.2" for side in (32, 16, 8, 4, 2)),
        "4x4 512@1 bias relu",
        *dropped,
        *(f"4x4 512@{side} BN relu" for side in (16, 32)),
        "4x4 256@64 BN relu",
        "4x4 128@128 BN relu",
        "4x4 64@256 BN relu",
        "4x4 3@512 bias tanh",
    ]


def strided_weights(network: nn.Module) -> int:
    """Weights of the 4×4 layers: what the authors' networks have, which hold no residual blocks."""
    found = [m.weight for m in network.modules() if isinstance(m, CONVOLUTIONS) and m.kernel_size == (4, 4)]
    return sum(weight.numel() for weight in found)


def chain(*channels: int) -> int:
    """Weights of 4×4 layers between these numbers of channels."""
    return 16 * sum(one * other for one, other in pairwise(channels))


def test_numbers_of_parameters_at_512() -> None:
    with torch.device("meta"):
        networks = AEGANGenerator(PHOTOGRAPH, NOISE)
        judges = [AEGANDiscriminator((64, 32, 32), NOISE), AEGANDiscriminator(PHOTOGRAPH, NOISE)]
        denoiser = Denoiser(PHOTOGRAPH, NOISE)
    assert strided_weights(networks.embedding) == chain(NOISE, 512, 256, 128, 64) == 3_571_712
    assert strided_weights(networks.encoder) == chain(3, 64, 64, 64, 64) == 199_680
    assert strided_weights(networks.decoder) == 199_680
    # The authors' last layer is a 4×4 convolution of a 4×4 map to one number, which is what a linear layer is.
    assert strided_weights(judges[0]) + judges[0].logit[1].weight.numel() == chain(64, 128, 256, 512, 1) == 2_760_704
    assert strided_weights(judges[1]) + judges[1].logit[1].weight.numel() == 199_680 + 2_760_704
    narrowing = (3, 64, 128, 256, *[512] * 6)
    assert strided_weights(denoiser.network) == 2 * chain(*narrowing) == 47_454_208


def test_a_residual_block_by_hand() -> None:
    block = ResidualBlock(3, norm="none", slope=0.2)
    x = torch.randn(2, 3, 5, 4)
    inner = nn.functional.leaky_relu(block.body[0](x), 0.2)
    expected = nn.functional.leaky_relu(x + block.body[3](inner), 0.2)
    torch.testing.assert_close(block(x.clone()), expected)
    # 3×3 without bias, and four numbers per channel of two normalizations
    assert sum(p.numel() for p in ResidualBlock(64).parameters()) == 2 * 9 * 64 * 64 + 4 * 64
    kept = x.clone()
    block(x)
    assert torch.equal(x, kept), "what it is given stays as it is"


SIZES = {
    (3, 1024, 1024): (64, 32, 32),
    (3, 512, 512): (64, 32, 32),
    (3, 256, 256): (64, 32, 32),
    (3, 128, 128): (64, 32, 32),
    (3, 64, 64): (64, 16, 16),
    (3, 32, 32): (64, 8, 8),
    (1, 28, 28): (64, 7, 7),
    (4, 96, 64): (64, 24, 16),
    (1, 33, 17): (64, 9, 5),
    (3, 300, 512): (64, 19, 32),
}


@pytest.mark.parametrize(("shape", "embedding"), SIZES.items(), ids=str)
def test_one_rule_for_all_sizes(shape: tuple[int, int, int], embedding: tuple[int, int, int]) -> None:
    made = generator(shape)
    assert made.embedding_shape == embedding
    assert made.embedding(empty(NOISE)).shape == (2, *embedding)
    assert made.encoder(empty(*shape)).shape == (2, *embedding)
    assert made.decoder(empty(*embedding)).shape == (2, *shape)
    with torch.device("meta"):
        assert AEGANDiscriminator(embedding, NOISE)(empty(*embedding)).logits.shape == (2,)  # type: ignore[union-attr]
        assert AEGANDiscriminator(shape, NOISE)(empty(*shape)).logits.shape == (2,)  # type: ignore[union-attr]
        for skips in (False, True):
            assert Denoiser(shape, NOISE, skips=skips)(empty(*shape)).shape == (2, *shape)


def test_the_authors_published_networks_have_no_residual_blocks() -> None:
    networks = generator(residual=False)
    assert table(networks.embedding, empty(NOISE))[:2] == ["4x4 512@4 BN relu", "4x4 256@8 BN relu"]
    published = chain(NOISE, 512, 256, 128, 64) + 2 * chain(3, 64, 64, 64, 64)
    normalized = 512 + 256 + 128 + 2 * 64 + 3 * 64  # channels that have a scale and a shift
    biased = 64 + 64 + 64 + 3
    assert sum(p.numel() for p in networks.parameters()) == published + 2 * normalized + biased


def test_the_embeddings_side_is_an_option() -> None:
    """Figure 10 of the paper: 8×8×64."""
    assert generator(embedding=8).embedding_shape == (64, 8, 8)
    assert generator((3, 64, 64), embedding=32).embedding_shape == (64, 32, 32)
    assert generator((3, 64, 64), embedding=32, width=5).embedding_shape == (5, 32, 32)
    assert generator((3, 64, 64), embedding=500).embedding_shape == (64, 32, 32), "it is always smaller than the image"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(FitError, match="1x9 pixels can be halved at most 0 times"):
        generator((3, 1, 9))
    with pytest.raises(FitError, match="at least 5 pixels"):
        AEGANDiscriminator((8, 4, 4), NOISE)
    with pytest.raises(OptionError, match="embedding must be 0 or more"):
        generator(embedding=-1)
    with pytest.raises(OptionError, match="dropout must be 0"):
        Denoiser(PHOTOGRAPH, NOISE, dropout=1.0)


@pytest.mark.parametrize("std", [0.02, 0.1])
def test_weights_are_drawn_from_a_normal_distribution(std: float) -> None:
    torch.manual_seed(0)
    made = AEGANGenerator((3, 64, 64), NOISE, width=16, init_std=std)
    refiner = Denoiser((3, 64, 64), NOISE, width=16, init_std=std)
    for network in (made, refiner.network):
        weights = torch.cat([m.weight.flatten() for m in network.modules() if isinstance(m, CONVOLUTIONS)])
        assert abs(weights.mean().item()) < 5 * std / math.sqrt(len(weights))
        assert abs(weights.std().item() / std - 1) < 0.02
        scales = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
        assert abs(scales.mean().item() - 1) < 5 * std / math.sqrt(len(scales))


def test_skips_join_maps_of_one_size() -> None:
    """With the maps of the way down set to zero on the way up, a network with skips differs from itself."""
    torch.manual_seed(0)
    plain, skipping = (Denoiser((3, 32, 32), NOISE, width=4, skips=skips).network for skips in (False, True))
    widths = [4, 8, 16, 32, 32]
    assert [block[0].in_channels for block in plain.up] == widths[::-1]
    assert [block[0].in_channels for block in skipping.up] == [32, 64, 32, 16, 8]
    sizes = halve_until((32, 32), 1)
    assert len(plain.up) == len(plain.down) == len(sizes) - 1 == 5


class _Logits(nn.Module):
    """A discriminator down to its logits, so that a table can be drawn of it."""

    def __init__(self, network: AEGANDiscriminator) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: Tensor) -> Sequence[Tensor]:
        logits = self.network(given).logits
        assert logits is not None
        return [logits]
