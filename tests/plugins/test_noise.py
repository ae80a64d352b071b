"""Bundled noise sources: their distributions, their seeds, and the decoder-encoder's pre-training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gantk import NoiseSource, Step
from gantk.errors import FitError, OptionError, UnknownName
from gantk.schedule import Batch, Terms
from gantk_classic.noise import Gaussian, Uniform
from gantk_classic.vae import VAE
from gantk_degan.noise import DecoderEncoder

SHAPE = (1, 12, 9)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def decoder_encoder(sample: bool = True) -> DecoderEncoder:
    torch.manual_seed(0)
    return DecoderEncoder(SHAPE, dim=5, sample=sample, autoencoder="vae:width=4")


def normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * torch.erfc(-x / 2**0.5)


def uniform_cdf(x: Tensor) -> Tensor:
    return (x + 1) / 2


@pytest.mark.parametrize(("make", "cdf"), [(Gaussian, normal_cdf), (Uniform, uniform_cdf)])
def test_noise_has_its_distribution(make: type[Gaussian | Uniform], cdf: Callable[[Tensor], Tensor]) -> None:
    noise = make(dim=10).sample(4000, seeded())
    values = noise.double().flatten().sort().values
    steps = torch.arange(1, len(values) + 1, dtype=torch.double) / len(values)
    kolmogorov = (cdf(values) - steps).abs().max() * len(values) ** 0.5
    assert kolmogorov < 1.95, "the 0.1 % point of Kolmogorov's distribution"
    correlations = torch.corrcoef(noise.T) - torch.eye(10)
    assert correlations.abs().max() < 4 / 4000**0.5, "the numbers of one vector are independent"


def test_uniform_noise_stays_within_its_range() -> None:
    noise = Uniform(dim=100).sample(1000, seeded())
    assert -1 <= noise.min() < -0.999
    assert 0.999 < noise.max() < 1


@pytest.mark.parametrize("make", [Gaussian, Uniform, decoder_encoder, lambda: decoder_encoder(sample=False)])
def test_a_seed_says_it_all(make: Callable[[], NoiseSource]) -> None:
    part = make()
    first = part.sample(6, seeded(3))
    assert first.shape == (6, part.dim)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert torch.equal(first, part.sample(6, seeded(3)))
    assert torch.equal(before, torch.get_rng_state()), "nothing comes from the global rng"
    assert not torch.equal(first, part.sample(6, seeded(4)))


@pytest.mark.parametrize("make", [Gaussian, Uniform, decoder_encoder])
def test_without_a_generator_torchs_own_is_used(make: Callable[[], NoiseSource]) -> None:
    part = make()
    torch.manual_seed(5)
    first = part.sample(4)
    torch.manual_seed(5)
    assert torch.equal(first, part.sample(4))


@pytest.mark.parametrize("make", [Gaussian, Uniform, lambda dim: DecoderEncoder(SHAPE, dim=dim)])
def test_a_dimension_below_one_is_refused(make: Callable[..., NoiseSource]) -> None:
    with pytest.raises(OptionError, match="dim must be at least 1, not 0"):
        make(dim=0)


def test_de_noise_is_gaussian_noise_decoded_and_encoded() -> None:
    part = decoder_encoder(sample=False).eval()
    z = torch.randn(6, 5, generator=seeded())
    expected = part.autoencoder.encode(part.autoencoder(z)).mean
    torch.testing.assert_close(part.sample(6, seeded()), expected.detach())


def test_de_noise_draws_from_the_posterior() -> None:
    part = decoder_encoder().eval()
    rng = seeded()
    z, epsilon = torch.randn(6, 5, generator=rng), torch.randn(6, 5, generator=rng)
    expected = part.autoencoder.encode(part.autoencoder(z)).sample(epsilon)
    torch.testing.assert_close(part.sample(6, seeded()), expected.detach())


def test_drawing_de_noise_neither_trains_nor_depends_on_the_mode() -> None:
    part = decoder_encoder()
    state = {name: value.clone() for name, value in part.state_dict().items()}
    noise = part.train().sample(6, seeded())
    assert all(m.training for m in part.modules())
    assert not noise.requires_grad
    assert all(torch.equal(value, state[name]) for name, value in part.state_dict().items())
    assert torch.equal(noise, part.eval().sample(6, seeded()))
    assert torch.equal(noise[:1], part.sample(6, seeded())[:1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"autoencoder": "dcgan"}, FitError, "does not provide 'posterior'"),
        ({"autoencoder": "vea"}, UnknownName, "Did you mean 'vae'"),
        ({"autoencoder": "vae:widht=3"}, OptionError, "Did you mean 'width'"),
        ({"loss": "minimax"}, FitError, "does not train an autoencoder"),
    ],
)
def test_an_autoencoder_or_loss_that_does_not_serve_is_refused(
    options: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DecoderEncoder((1, 28, 28), **options)  # type: ignore[arg-type]


def test_options_reach_the_autoencoder() -> None:
    part = DecoderEncoder((1, 28, 28), dim=5, autoencoder="vae:width=4,dropout=0.5,output=sigmoid")
    assert isinstance(part.autoencoder, VAE)
    assert [m.p for m in part.autoencoder.modules() if isinstance(m, nn.Dropout)] == [0.5]
    assert part.autoencoder.noise_dim == 5


def test_pretraining_moves_the_autoencoder_by_its_loss() -> None:
    part = decoder_encoder()
    (stage,) = part.stages("noise")
    (player,) = stage.players
    assert (stage.name, stage.adversarial, player.role) == ("pretrain", False, "autoencoder")
    assert stage.moves() == ("noise.autoencoder",)
    assert isinstance(player.objective, Terms)
    assert [name for name, _ in player.objective.losses] == ["vae"]
    step = Step(nn.ModuleDict({"noise": part}), Batch(torch.rand(8, *SHAPE) * 1.8 - 0.9), {})
    step.begin(player.moves)
    torch.autograd.backward([*player.objective(step).values()])
    for name, parameter in part.autoencoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_preview_of_pretraining_is_seeded_images() -> None:
    part = decoder_encoder()
    (stage,) = part.stages("noise")
    assert stage.preview is not None
    images = stage.preview(nn.ModuleDict({"noise": part}), 3, seeded())  # type: ignore[arg-type]
    assert images.shape == (3, *SHAPE)
    assert torch.equal(images, part.decode_normal(3, seeded()))
