"""What noise is distributed as and what losses assume of it are compared at build."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import gantk
from gantk import Binding, Loss, NoiseSource, Play, Player, Stage, Terms
from gantk.building.distributions import disagreement, drawn_from
from gantk.construct import construct
from gantk.errors import FitError
from gantk.recipe import Recipe

Build = Callable[..., gantk.Model]


class Codes(NoiseSource):
    """Noise that says nothing of its distribution."""

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return 3 + self.draw_normal(n, self.dim, rng=rng)


class Boasting(Codes):
    """Noise that is not as it says."""

    distribution = "normal"


class Wrapped(Loss):
    """A loss around another one."""

    needs = frozenset({"posterior"})

    def __init__(self) -> None:
        super().__init__()
        self.inner = construct("loss", "vae")

    def autoencoder(self, play: Play) -> Tensor:
        return 2 * self.inner.autoencoder(play)  # type: ignore[no-any-return, operator]


class UniformBound(Loss):
    """A loss that fits codes to U(-1, 1)."""

    needs = frozenset({"posterior"})
    prior = ("uniform",)

    def autoencoder(self, play: Play) -> Tensor:
        return play.posterior.mean.square().mean() + (play.reconstruction - play.real).square().mean()


def test_the_prior_of_a_loss_within_another_is_the_others(tiny: Build) -> None:
    with pytest.raises(FitError, match="loss 'Wrapped' assumes standard normal noise, but noise 'uniform'"):
        tiny("vae", loss=Wrapped, without="loss.vae", noise="uniform:dim=6")
    assert not tiny("vae", loss=Wrapped, without="loss.vae", noise="gaussian:dim=6").built.notes


def test_a_loss_of_ones_own_gets_the_noise_that_it_assumes(tiny: Build) -> None:
    with pytest.raises(FitError, match=r"assumes uniform in \[-1, 1\] noise.*use --noise uniform:dim=6"):
        tiny("vae", loss=UniformBound, without="loss.vae")
    tiny("vae", loss=UniformBound, without="loss.vae", noise="uniform:dim=6")


@pytest.mark.parametrize("noise", [Codes, lambda n: torch.rand(n, 6), torch.distributions.Normal(torch.zeros(6), 1.0)])
def test_noise_that_says_nothing_gets_one_note(noise: Any, tiny: Build) -> None:
    notes = [note for note in tiny("vae", noise=noise).built.notes if "does not say how it is distributed" in note]
    assert len(notes) == 1
    assert re.search(r"samples of this one have mean -?\d\.\d\d, standard deviation \d\.\d\d", notes[0])
    assert not [note for note in tiny("dcgan", noise=noise).built.notes if "distributed" in note]


def test_noise_is_not_believed_against_its_samples(tiny: Build) -> None:
    with pytest.raises(FitError, match=r"declares to be standard normal, but the mean of a coordinate is off by 3"):
        tiny("vae", noise=Boasting)


def test_a_game_takes_any_noise(tiny: Build) -> None:
    for noise in ("sphere:dim=6", "uniform:dim=6", "de:dim=6,sample=false,autoencoder='vae:width=4'"):
        assert not [note for note in tiny("dcgan", noise=noise).built.notes if "distributed" in note]


def test_a_noise_with_an_autoencoder_has_a_prior_of_its_own(tiny: Build) -> None:
    """The VAE within `de` is sampled from N(0, I) by `de` itself, whatever the model's noise is."""
    gantk.register("loss", UniformBound, name="uniform-bound")
    with pytest.raises(FitError, match=r"loss 'uniform-bound' assumes uniform noise"):
        tiny(noise="de:dim=6,autoencoder='vae:width=4',loss=uniform-bound")


class AutoencoderOfTwo(Recipe):
    """A fit whose objective wraps its terms twice."""

    slots = ("noise", "generator")
    optional = ("condition",)
    defaults = {"loss": ["vae"], "noise": "gaussian:dim=6", "generator": "vae:width=4"}  # noqa: RUF012

    def stages(self, model: gantk.Model) -> Sequence[Stage]:
        terms = Terms(model.losses, "autoencoder", Binding())
        objective = gantk.Joined({"first": gantk.Joined({"second": terms})})
        return [Stage("fit", [Player("autoencoder", ("generator", "condition?"), objective)], length="2 steps")]


def test_terms_are_found_within_any_objective(images: Any) -> None:
    gantk.build(AutoencoderOfTwo, data=images)
    with pytest.raises(FitError, match="loss 'vae' assumes standard normal noise, but noise 'sphere'"):
        gantk.build(AutoencoderOfTwo, data=images, noise="sphere:dim=6")


def test_a_condition_is_not_distributed_as_the_prior(images: Any) -> None:
    with pytest.raises(FitError, match=r"all 8 numbers.*the last 2 are the condition: leave out --condition"):
        gantk.build(AutoencoderOfTwo, data=images, condition="class")


def test_samples_show_another_distribution() -> None:
    normal, uniform = (drawn_from(construct("noise", f"{name}:dim=32")) for name in ("gaussian", "uniform"))
    for drawn, name in (
        (normal, "normal"),
        (uniform, "uniform"),
        (normal[:, :1], "normal"),
        (uniform[:, :1], "uniform"),
    ):
        assert not disagreement(drawn, name)
    assert "variance" in disagreement(uniform, "normal")
    assert "fourth moment of its coordinates" in disagreement(uniform * 3**0.5, "normal")
    assert "fourth moment of its length" in disagreement(normal[:, :1].expand(-1, 32), "normal")
    assert "mean" in disagreement(normal + 0.3, "normal")
    assert disagreement(normal, "a distribution that is not known by name") == ""


@pytest.mark.parametrize(
    ("spec", "name", "variance", "off"),
    [
        ("gaussian:dim=1", "normal", 1, 0.2075),
        ("gaussian:dim=5", "normal", 1, 0.2075),
        ("uniform:dim=1", "uniform", 1 / 3, 0.1386),
        ("uniform:dim=2", "uniform", 1 / 3, 0.1386),
        ("sphere:dim=2", "sphere", 1 / 2, 0.1137),
        ("sphere:dim=5", "sphere", 1 / 5, 0.1617),
    ],
)
def test_a_variance_may_be_off_by_six_standard_errors(spec: str, name: str, variance: float, off: float) -> None:
    """Var(x²) is 2, 4/45 and 2 (dim - 1) / (dim² (dim + 2)) for these; of 2048 samples, and 2% for rounding."""
    drawn = drawn_from(construct("noise", spec))
    assert disagreement(drawn, name) == ""
    exact = drawn * (variance / drawn.square().mean(dim=0)).sqrt()
    assert "variance" not in disagreement(exact * (1 + off - 0.002) ** 0.5, name)
    said = disagreement(exact * (1 + off + 0.002) ** 0.5, name)
    assert said.startswith(f"the variance of a coordinate is off by {off + 0.002:.0%}; that of")
    assert said.endswith(f" noise is {variance:.3g}")


def test_the_sphere_of_one_number_has_two_points() -> None:
    points = torch.tensor([[1.0], [-1.0]]).repeat(1024, 1)
    assert disagreement(points, "sphere") == ""
    assert "variance" in disagreement(1.05 * points, "sphere")


def test_a_mean_may_be_off_by_six_standard_errors() -> None:
    drawn = drawn_from(construct("noise", "uniform:dim=3"))
    centered, error = drawn - drawn.mean(dim=0), 3**-0.5 * (6 / 2048**0.5 + 0.02)
    assert disagreement(centered + 0.99 * error, "uniform") == ""
    assert disagreement(centered - torch.tensor([0.0, 1.01 * error, 0.0]), "uniform").startswith(
        "the mean of a coordinate is off by 0.089;"
    )
