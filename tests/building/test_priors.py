"""What noise is distributed as and what losses assume of it are compared at build."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk import Binding, Loss, NoiseSource, Play, Player, Stage, Step, Terms, registry
from gantk.building.distributions import disagreement, drawn_from
from gantk.building.priors import check_priors
from gantk.construct import construct
from gantk.errors import FitError
from gantk.recipe import Recipe
from gantk.testing import ToyGenerator

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
        self.layer = nn.Identity()
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
    with pytest.raises(FitError, match="loss 'Wrapped' assumes that noise is standard normal, but noise 'uniform'"):
        tiny("vae", loss=Wrapped, without="loss.vae", noise="uniform:dim=6")
    assert not tiny("vae", loss=Wrapped, without="loss.vae", noise="gaussian:dim=6").built.notes


def test_a_loss_of_ones_own_gets_the_noise_that_it_assumes(tiny: Build) -> None:
    with pytest.raises(FitError, match=r"assumes that noise is uniform in \[-1, 1\].*use --noise uniform:dim=6"):
        tiny("vae", loss=UniformBound, without="loss.vae")
    tiny("vae", loss=UniformBound, without="loss.vae", noise="uniform:dim=6")


class OfThree(UniformBound):
    """A loss that leaves some choice."""

    prior = ("normal", "sphere", "mine")


def test_several_distributions_are_named(tiny: Build) -> None:
    said = r"assumes that noise is standard normal, uniform on the unit sphere or mine, but noise 'uniform' is uniform"
    with pytest.raises(FitError, match=said):
        tiny("vae", loss=OfThree, without="loss.vae", noise="uniform:dim=6")


class Mine(UniformBound):
    """A loss whose distribution no installed noise has."""

    prior = ("mine",)


class Longer(Codes):
    """Noise of that distribution, of another length than it is told."""

    distribution = "mine"

    def __init__(self, dim: int = 6) -> None:
        super().__init__(2 * dim)


class Undecided(Codes):
    """Noise whose class has a distribution that its instances have not."""

    distribution = "mine"

    def __init__(self, dim: int = 6) -> None:
        super().__init__(dim)
        self.distribution = "normal"


class Fixed(Codes):
    """Noise of that distribution, whose length is no option."""

    distribution = "mine"

    def __init__(self) -> None:
        super().__init__(6)


class Right(Codes):
    """Noise that would do, for images of any size."""

    distribution = "mine"

    def __init__(self, image_shape: Sequence[int], dim: int = 6) -> None:
        assert len(image_shape) == 3
        super().__init__(dim)


def test_only_noise_that_would_do_is_advised(tiny: Build, register: Callable[[str, str, type], None]) -> None:
    model = tiny("vae")
    terms = Terms([("mine", Mine())], "autoencoder")
    stages = [Stage("fit", [Player("autoencoder", ("generator",), terms)])]

    def refusal() -> str:
        with pytest.raises(
            FitError, match="loss 'mine' assumes that noise is mine, but noise 'gaussian' is standard"
        ) as caught:
            check_priors(model, stages)
        return str(caught.value)

    register("noise", "fixed", Fixed)
    register("noise", "longer", Longer)
    register("noise", "undecided", Undecided)
    assert refusal().endswith(": choose another noise or another loss.")
    register("noise", "right", Right)
    assert refusal().endswith(": use --noise right:dim=6.")


def test_gantks_own_noise_is_advised_first(tiny: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, broken = registry._entry_points()
    other = registry.Plugin("noise", "uniform", "another", "0", f"{__name__}:Even")
    monkeypatch.setattr(registry, "_entry_points", lambda: ((other, *installed), broken))
    stages = [Stage("fit", [Player("autoencoder", ("generator",), Terms([("own", UniformBound())], "autoencoder"))])]
    with pytest.raises(FitError, match="use --noise gantk:uniform:dim=6"):
        check_priors(tiny("vae", noise="gantk:gaussian:dim=6"), stages)


class Even(Codes):
    distribution = "uniform"


def test_of_several_losses_the_first_is_noted(tiny: Build) -> None:
    notes = tiny("vae", noise=Codes, loss=UniformBound).built.notes
    (note,) = (note for note in notes if "does not say how it is distributed" in note)
    assert "loss vae assumes that noise is standard normal, and samples of this one have" in note
    assert re.search(r"mean (2\.9|3\.0)\d, standard deviation (0\.9|1\.0)\d and length 7\.\d", note), note


class Told(UniformBound):
    """A loss that reads the condition itself."""

    prior = ("normal",)
    needs = frozenset({"posterior", "condition"})


def test_a_loss_that_reads_the_condition_takes_one(images: Any) -> None:
    model = gantk.build(AutoencoderOfTwo, data=images, condition="class", loss=Told, without="loss.vae")
    assert model.condition is not None
    assert "Told" in [name for name, _ in model.losses]


class Asking:
    """An objective that asks losses itself, and one that the model does not have."""

    def __init__(self, losses: Any) -> None:
        self.losses = [loss for _, loss in losses]
        self.foreign = UniformBound()

    def __call__(self, step: Step) -> dict[str, Tensor]:
        play = gantk.SharedPlay(step, Binding())
        return {"own": self.losses[0].autoencoder(play), "foreign": self.foreign.autoencoder(play)}


class AutoencoderOfItsOwn(Recipe):
    """A fit whose objective has no terms."""

    slots = ("noise", "generator")
    defaults = {"loss": ["vae"], "noise": "gaussian:dim=6", "generator": "vae:width=4"}  # noqa: RUF012

    def stages(self, model: gantk.Model) -> Sequence[Stage]:
        return [Stage("fit", [Player("autoencoder", ("generator",), Asking(model.losses))], length="2 steps")]


def test_a_loss_that_an_objective_asks_itself_has_its_prior_too(images: Any) -> None:
    small = {"stages.fit.batch_size": 8}
    assert not gantk.build(AutoencoderOfItsOwn, data=images, settings=small).built.notes
    with pytest.raises(FitError, match="loss 'vae' assumes that noise is standard normal, but noise 'sphere'"):
        gantk.build(AutoencoderOfItsOwn, data=images, noise="sphere:dim=6")


def test_an_autoencoder_within_a_part_has_noise_of_its_own() -> None:
    """Which the model's noise is not compared with."""
    inner = Binding(autoencoder="noise.autoencoder")
    model = gantk.Model(construct("noise", "sphere:dim=5"), ToyGenerator(), losses={"mine": UniformBound()})
    fit = Stage("fit", [Player("autoencoder", ("generator",), Terms(model.losses, "autoencoder", inner))])
    assert check_priors(model, [fit]) == []


@pytest.mark.parametrize("noise", [Codes, lambda n: torch.rand(n, 6), torch.distributions.Normal(torch.zeros(6), 1.0)])
def test_noise_that_says_nothing_gets_one_note(noise: Any, tiny: Build) -> None:
    notes = [note for note in tiny("vae", noise=noise).built.notes if "does not say how it is distributed" in note]
    assert len(notes) == 1
    assert re.search(r"samples of this one have mean -?\d\.\d\d, standard deviation \d\.\d\d", notes[0])
    assert not [note for note in tiny("dcgan", noise=noise).built.notes if "distributed" in note]


def test_noise_is_not_believed_against_its_samples(tiny: Build) -> None:
    with pytest.raises(
        FitError, match=r"declares that it is standard normal, but the mean of a coordinate is 3 away from 0"
    ):
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
    with pytest.raises(FitError, match="loss 'vae' assumes that noise is standard normal, but noise 'sphere'"):
        gantk.build(AutoencoderOfTwo, data=images, noise="sphere:dim=6")


class Bound(Loss):
    """A bound that reads all of a code, and not what `Play.reconstruction` puts in place of its last numbers."""

    needs = frozenset({"posterior"})
    prior = ("normal",)

    def autoencoder(self, play: Play) -> Tensor:
        return play.posterior.mean.square().mean() + play.autoencoder(play.posterior.mean).mean()


def test_a_condition_is_not_distributed_as_the_prior(images: Any) -> None:
    with pytest.raises(FitError, match=r"all 8 numbers.*the last 2 are the condition: .*leave out --condition"):
        gantk.build(AutoencoderOfTwo, data=images, condition="class", loss=Bound())
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
    exact[:, -1] *= (1 + off + 0.002) ** 0.5
    said = disagreement(exact, name)
    assert said == f"the variance of a coordinate is {off + 0.002:.0%} away from {variance:.3g}"


def test_the_sphere_of_one_number_has_two_points() -> None:
    points = torch.tensor([[1.0], [-1.0]]).repeat(1024, 1)
    assert disagreement(points, "sphere") == ""
    assert "variance" in disagreement(1.05 * points, "sphere")


def test_a_mean_may_be_off_by_six_standard_errors() -> None:
    drawn = drawn_from(construct("noise", "uniform:dim=3"))
    centered, error = drawn - drawn.mean(dim=0), 3**-0.5 * (6 / 2048**0.5 + 0.02)
    assert disagreement(centered + 0.99 * error, "uniform") == ""
    shifted = centered - torch.tensor([0.0, 1.01 * error, 0.0])
    assert disagreement(shifted, "uniform") == "the mean of a coordinate is 0.089 away from 0"
