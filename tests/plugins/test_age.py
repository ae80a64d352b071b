"""AGE: noise and codes on the sphere, networks against the authors', the loss by hand, who moves at which turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

import gantk
from gantk import Generator, Model, Play, Posterior
from gantk.errors import FitError, OptionError
from gantk.nn import OnSphere
from gantk.parts import ImageShape
from gantk.schedule import Batch, Player, Step
from gantk.schedule.rates import parse_rate
from gantk.training.turn import Turns
from gantk_age.losses import AGELoss, _projected, code_divergence
from gantk_age.networks import AGEGenerator
from gantk_age.noise import Sphere
from gantk_age.recipe import AutoencoderGame
from gantk_classic.dcgan import DCGANGenerator

Build = Callable[..., Model]


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


# Codes ±2 have the mean 0 and the variance 4; 1 and 3 have 2 and 1.
CODES = torch.tensor([[2.0, 1.0], [-2.0, 3.0]])
DIVERGENCES = {
    ("qp", "std"): ((4 / 2 - math.log(2) - 0.5) + (1 + 4) / 2 - 0.5) / 2,
    ("pq", "std"): ((1 / 8 + math.log(2) - 0.5) + (1 + 4) / 2 - 0.5) / 2,
    ("qp", "variance"): ((16 / 2 - math.log(4) - 0.5) + (1 + 4) / 2 - 0.5) / 2,
    ("pq", "variance"): ((1 / 32 + math.log(4) - 0.5) + (1 + 4) / 2 - 0.5) / 2,
}


@pytest.mark.parametrize(
    ("how", "expected"), DIVERGENCES.items(), ids=lambda how: "-".join(how) if type(how) is tuple else ""
)
def test_divergence_by_hand(how: tuple[Any, Any], expected: float) -> None:
    assert code_divergence(CODES, direction=how[0], scale=how[1]).item() == pytest.approx(expected, rel=1e-6)


def test_divergence_against_torch() -> None:
    codes = 0.3 + 1.7 * torch.randn(50, 4, dtype=torch.double)
    fitted, normal = Normal(codes.mean(0), codes.std(0, correction=0)), Normal(torch.zeros(4), torch.ones(4))
    expected = {"qp": kl_divergence(fitted, normal).mean(), "pq": kl_divergence(normal, fitted).mean()}
    for direction, value in expected.items():
        found = code_divergence(codes, direction=direction, scale="std")  # type: ignore[arg-type]
        assert found.item() == pytest.approx(value.item(), rel=1e-6)


def test_divergence_has_its_gradient() -> None:
    codes = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    for direction, scale in DIVERGENCES:
        assert torch.autograd.gradcheck(lambda c, d=direction, s=scale: code_divergence(c, direction=d, scale=s), codes)


def test_divergence_of_codes_without_spread() -> None:
    same = torch.ones(4, 3, requires_grad=True)
    for direction, scale in DIVERGENCES:
        assert torch.isfinite(code_divergence(same, direction=direction, scale=scale))  # type: ignore[arg-type]
    with pytest.raises(FitError, match="batches of at least 2"):
        code_divergence(CODES[:1], scale="std")


def test_on_the_sphere_spread_is_all_that_counts() -> None:
    """There mean² + variance sums to 1 over dimensions, so that only -Σ log s is left, whatever the prior's radius."""
    codes = Sphere(dim=6).sample(40, torch.Generator().manual_seed(1))
    spread = -codes.std(0, correction=0).log().mean()
    assert code_divergence(codes, scale="std").item() == pytest.approx(spread.item() + 0.5 / 6 - 0.5, rel=1e-5)


class Doubling(Generator):
    """Images of two pixels: an image's code is the image, of any length, and a code's image is twice the code."""

    image_shape = (1, 1, 2)
    provides = frozenset({"posterior"})

    def forward(self, noise: Tensor) -> Tensor:
        return 2 * noise.view(-1, 1, 1, 2)

    def encode(self, images: Tensor) -> Posterior:
        return Posterior(images.flatten(1), torch.zeros(len(images), 2))


REAL, FAKE = 3 * torch.tensor([[0.6, 0.8], [-0.8, -0.6]]), torch.tensor([[2.0, 2.0], [-2.0, -2.0]])
NOISE = 3 * torch.ones(2, 2)
"""On the unit sphere, codes of REAL are (0.6, 0.8) and (-0.8, -0.6), those of FAKE ±(r, r), and the noise is (r, r)."""
R = math.sqrt(0.5)
NEAR = (0.49 + 0.01) / 2 - math.log(0.7) - 0.5
"""The divergence of REAL's codes, whose means are ±0.1 and standard deviations 0.7."""
FAR = R**2 / 2 - math.log(R) - 0.5
"""That of FAKE's, whose means are 0 and standard deviations r."""


def play() -> Play:
    return Play(real=REAL.view(2, 1, 1, 2), fake=FAKE.view(2, 1, 1, 2), noise=NOISE, autoencoder=Doubling())


@pytest.mark.parametrize(
    ("options", "rebuilt", "matched"),
    [
        ({}, 10 * 0.7, 1000 * (0 + 2) / 2 / 2),  # cosines 1 and -1, two dimensions
        ({"code_distance": "l2", "codes": 2.0}, 10 * 0.7, 2 * 2 * (2 * R) ** 2 / 4),
        ({"code_distance": "l1", "codes": 2.0, "images": 3.0}, 3 * 0.7, 2 * 2 * (2 * R) / 4),
        ({"image_distance": "l2", "codes": 0.0}, 10 * 0.5, 0.0),
        ({"images": 0.0}, 0.0, 500.0),
    ],
)
def test_loss_by_hand(options: dict[str, Any], rebuilt: float, matched: float) -> None:
    loss = AGELoss(**options)
    expected = NEAR - FAR + rebuilt
    assert loss.encoder(play()).item() == pytest.approx(expected, rel=1e-5)
    assert loss.generator(play()).item() == pytest.approx(FAR + matched, rel=1e-5)


def test_loss_takes_its_divergence() -> None:
    loss = AGELoss(direction="pq", scale="variance", images=0.0, codes=0.0)
    near, far = 1.01 / (2 * 0.49**2) + math.log(0.49) - 0.5, 1 / (2 * 0.5**2) + math.log(0.5) - 0.5
    assert loss.generator(play()).item() == pytest.approx(far, rel=1e-5)
    assert loss.encoder(play()).item() == pytest.approx(near - far, rel=1e-5)


def test_longer_codes_are_no_way_to_win() -> None:
    """Neither player's objective depends on how long codes and noise are, so that no encoder runs away with them."""
    loss = AGELoss(code_distance="l2")
    longer = Play(real=REAL.view(2, 1, 1, 2), fake=50 * FAKE.view(2, 1, 1, 2), noise=8 * NOISE, autoencoder=Doubling())
    assert loss.encoder(longer).item() == pytest.approx(loss.encoder(play()).item(), rel=1e-5)
    assert loss.generator(longer).item() == pytest.approx(loss.generator(play()).item(), rel=1e-5)


def test_codes_and_noise_on_the_sphere_are_left_as_they_are() -> None:
    """In every bit, so that training with networks that project them themselves is as it was."""
    images = Sphere(dim=2).sample(64, torch.Generator().manual_seed(0))
    assert torch.equal(_projected(images), images)
    assert torch.allclose(_projected(5 * images), images)


def test_on_the_unit_sphere_cosine_is_half_of_l2() -> None:
    one, other = (Sphere(dim=5).sample(7, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    loss = AGELoss()
    half = AGELoss(code_distance="l2").code_distance(one, other) / 2
    assert loss.code_distance(one, other).item() == pytest.approx(half.item(), rel=1e-5)


@pytest.mark.parametrize("options", [{"images": -1.0}, {"codes": math.inf}, {"weight": -0.1}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="0 or more and finite"):
        AGELoss(**options)


def age(tiny: Build, generator: str = "age:width=4", **parts: Any) -> Model:
    """A small AGE on small images."""
    return tiny(
        "age", {"stages.game.batch_size": 8}, noise="sphere:dim=6", generator=generator, discriminator=None, **parts
    )


def record(model: Model, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[str], Tensor]]:
    """(player, what it moved, the noise that it saw) of every turn of one step."""
    turns = Turns(Fabric(accelerator="cpu", devices=1), model, model.built.stages[0])
    played: list[tuple[str, set[str], Tensor]] = []
    turn = Turns._turn

    def noted(self: Turns, player: Player, step: Step, following: Sequence[Player]) -> dict[str, Tensor]:
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        values = turn(self, player, step, following)
        moved = {name.rpartition(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
        played.append((player.name, {".".join(path.split(".")[:2]) for path in moved}, step["noise"]))
        return values

    monkeypatch.setattr(Turns, "_turn", noted)
    batches = (Batch(torch.rand(8, *model.image_shape) * 2 - 1) for _ in range(model.built.stages[0].batches()))
    turns.play(model.step(batch, model.built.stages[0].values) for batch in batches)
    return played


def test_the_encoder_moves_once_and_then_the_decoder_twice(tiny: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    played = record(age(tiny), monkeypatch)
    assert [(player, moved) for player, moved, _ in played] == [
        ("encoder", {"generator.encoder"}),
        ("generator", {"generator.decoder"}),
        ("generator", {"generator.decoder"}),
    ]
    encoders, first, second = (noise for _, _, noise in played)
    assert not torch.equal(first, second), "each of the generator's turns has noise of its own"
    assert torch.equal(encoders, second), "the last turn is on the batch that both players share"


def test_generated_images_are_constants_to_the_encoder(tiny: Build) -> None:
    model = age(tiny)
    stage = model.built.stages[0]
    step = model.step(Batch(torch.rand(4, *model.image_shape)), stage.values)
    encoder, generator = stage.players
    step.begin(encoder.moves, generator.moves)
    assert not step["fake"].requires_grad
    step.end()
    step.begin(generator.moves)
    assert step["fake"].requires_grad


def test_the_preset_has_the_authors_values() -> None:
    model = gantk.build("age")
    (stage,) = model.built.stages
    assert (model.noise.dim, stage.batch_size) == (128, 64)
    assert {p.name: (p.repeats, p.optimizer["lr"], tuple(p.optimizer["betas"])) for p in stage.players} == {
        "encoder": (1, 2e-4, (0.5, 0.999)),
        "generator": (2, 2e-4, (0.5, 0.999)),
    }
    for player in stage.players:
        rate = parse_rate(player.lr_schedule, "lr_schedule")
        assert [rate((epoch + 0.5) / 150) for epoch in (0, 39, 41, 81, 149)] == pytest.approx(
            [1, 1, 0.96, 0.96**2, 0.96**3]
        )
    assert [(t["images"], t["codes"], t["code_distance"], t["direction"]) for t in model.built.spec["loss"]] == [
        (10.0, 1000.0, "cos", "qp")
    ]
    assert stage.steps(50_000) == pytest.approx(
        150 * (50_000 // 64), rel=1e-3
    )  # CIFAR-10: 150 epochs of an update of E each batch


def test_a_generator_without_halves_is_refused() -> None:
    with pytest.raises(FitError, match="has no module encoder and no module decoder: use --generator age or vae"):
        AutoencoderGame().stages(Model(Sphere(4), DCGANGenerator((1, 16, 16), 4, width=4)))


@pytest.mark.parametrize(
    ("loss", "message"), [("age", "no loss has a term for a discriminator"), ("vae", "has a term for autoencoder")]
)
def test_its_loss_finds_no_encoder_in_a_usual_game(loss: str, message: str, tiny: Build) -> None:
    with pytest.raises(FitError, match=message):
        tiny("dcgan", generator="vae:width=4", loss=loss)


@pytest.mark.parametrize("noise", ["gaussian:dim=6", "sphere:dim=6", "uniform:dim=6"])
def test_networks_of_a_vae_play_on_the_sphere(noise: str, tiny: Build) -> None:
    model = tiny("age", noise=noise, generator="vae:width=4", discriminator=None)
    assert "generator vae got sphere=true, which loss age needs." in model.built.notes
    codes = model.generator.encode(torch.rand(3, *model.image_shape)).mean
    assert torch.allclose(codes.norm(dim=1), torch.ones(3), atol=1e-5)
    drawn = model.noise.sample(3)
    assert torch.allclose(model.generator(drawn), model.generator(9 * drawn), atol=1e-5)


def test_codes_that_are_not_bounded_are_refused(tiny: Build) -> None:
    with pytest.raises(FitError, match=r"loss 'age' needs sphere, which .* does not provide.*--generator"):
        age(tiny, "age:width=4,sphere=false")


def test_a_generator_that_only_says_that_its_codes_lie_on_the_sphere_is_refused(tiny: Build) -> None:
    class Boasting(AGEGenerator):
        """Codes of any length."""

        def encode(self, images: Tensor) -> Posterior:
            return Posterior(7 * super().encode(images).mean, torch.zeros(len(images), 6))

    with pytest.raises(FitError, match="provides `sphere`, but its codes have lengths up to 7"):
        tiny("age", noise="sphere:dim=6", generator=(Boasting, {"width": 4}), discriminator=None)


def test_networks_of_ones_own_are_told_how_to_bound_their_codes(tiny: Build) -> None:
    class Unbounded(AGEGenerator):
        """Codes of any length."""

        def __init__(self, image_shape: ImageShape, noise_dim: int) -> None:
            super().__init__(image_shape, noise_dim, width=4, sphere=False)

        offers: dict[str, Any] = {}  # noqa: RUF012

    with pytest.raises(
        FitError, match=r"needs sphere.*project its codes and its noise onto the unit sphere by gantk\.nn"
    ):
        tiny("age", noise="sphere:dim=6", generator=Unbounded, discriminator=None)

    class Bounded(Unbounded):
        """As the message says."""

        def __init__(self, image_shape: ImageShape, noise_dim: int) -> None:
            super().__init__(image_shape, noise_dim)
            self.provides = frozenset({"posterior", "sphere"})
            self.decoder.insert(0, OnSphere())
            self.encoder.append(OnSphere())

    tiny("age", noise="sphere:dim=6", generator=Bounded, discriminator=None)
