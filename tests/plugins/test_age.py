"""AGE in training: who moves at which turn, the authors' values, and networks of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

import gantk
from gantk import Model, Posterior
from gantk.errors import FitError
from gantk.nn import OnSphere
from gantk.parts import ImageShape
from gantk.schedule import Batch, Player, Step
from gantk.schedule.rates import parse_rate
from gantk.training.turn import Turns
from gantk_age.networks import AGEGenerator
from gantk_age.noise import Sphere
from gantk_age.recipe import AutoencoderGame
from gantk_classic.dcgan import DCGANGenerator

Build = Callable[..., Model]


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

    def noted(self: Turns, player: Player, steps: Sequence[Step], following: Sequence[Player]) -> dict[str, Tensor]:
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        values = turn(self, player, steps, following)
        moved = {name.rpartition(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
        played.append((player.name, {".".join(path.split(".")[:2]) for path in moved}, steps[0]["noise"]))
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
