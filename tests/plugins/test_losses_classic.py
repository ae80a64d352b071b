"""The classic losses against hand-computed values, float64 references and torch.distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gantk import Discriminator, Generator, Play, Posterior, Verdict
from gantk.errors import FitError, OptionError
from gantk.testing import ToyDiscriminator
from gantk_classic.losses import Minimax, NonSaturating, VariationalBound, Wasserstein, WassersteinGP

REAL = torch.tensor([2.0, -1.0, 0.5])
FAKE = torch.tensor([-3.0, 0.25, 1.0])


class Reading(Discriminator):
    """Reads its logit off the only number of an image, so that tests choose the logits."""

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=images.flatten(1).squeeze(1))


def game(real: Tensor = REAL, fake: Tensor = FAKE) -> Play:
    return Play(Reading(), real=real.view(-1, 1, 1, 1), fake=fake.view(-1, 1, 1, 1))


def sigmoid(x: Tensor) -> Any:
    return 1 / (1 + np.exp(-x.double().numpy()))


D_LOSS = -np.log(sigmoid(REAL)).mean() - np.log(1 - sigmoid(FAKE)).mean()


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        (Minimax(), D_LOSS, np.log(1 - sigmoid(FAKE)).mean()),
        (NonSaturating(), D_LOSS, -np.log(sigmoid(FAKE)).mean()),
        (Wasserstein(), FAKE.mean().item() - REAL.mean().item(), -FAKE.mean().item()),
    ],
)
def test_games_against_numpy(loss: Any, discriminator: float, generator: float) -> None:
    assert loss.discriminator(game()).item() == pytest.approx(discriminator, rel=1e-6)
    assert loss.generator(game()).item() == pytest.approx(generator, rel=1e-6)


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating(), Wasserstein()])
def test_signs(loss: Any) -> None:
    """The discriminator gains by telling apart, the generator by being taken for real."""
    told = game(REAL + 1, FAKE - 1)
    assert loss.discriminator(told) < loss.discriminator(game())
    assert loss.generator(game(REAL, FAKE + 1)) < loss.generator(game())


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()])
def test_games_are_finite_where_sigmoid_is_not(loss: Any) -> None:
    extreme = torch.tensor([-200.0, 200.0], requires_grad=True)
    for term in (loss.discriminator(game(extreme, extreme)), loss.generator(game(extreme, extreme))):
        (gradient,) = torch.autograd.grad(term, extreme)
        assert torch.isfinite(term)
        assert torch.isfinite(gradient).all()


def test_nonsaturating_has_a_gradient_where_minimax_has_none() -> None:
    lost = torch.tensor([-20.0], requires_grad=True)
    (minimax,) = torch.autograd.grad(Minimax().generator(game(REAL, lost)), lost)
    (nonsaturating,) = torch.autograd.grad(NonSaturating().generator(game(REAL, lost)), lost)
    assert abs(minimax.item()) < 1e-8
    assert nonsaturating.item() == pytest.approx(-1)


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating(), Wasserstein()])
def test_games_pass_gradcheck(loss: Any) -> None:
    real, fake = (x.double().requires_grad_() for x in (REAL, FAKE))
    assert torch.autograd.gradcheck(lambda r, f: loss.discriminator(game(r, f)), (real, fake))
    assert torch.autograd.gradcheck(lambda f: loss.generator(game(REAL.double(), f)), (fake,))


class LinearCritic(Discriminator):
    """f(x) = a · x, whose gradient is a everywhere."""

    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, images: Tensor) -> Verdict:
        return Verdict(logits=images.flatten(1) @ self.a)


@pytest.mark.parametrize("shape", [(1, 2, 2), (4,)])
def test_gradient_penalty_of_a_linear_critic(shape: tuple[int, ...]) -> None:
    a = torch.tensor([3.0, 0.0, 4.0, 0.0])
    critic, images = LinearCritic(a), torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))
    play = Play(critic, real=images, fake=images.flip(0))
    found = WassersteinGP(penalty=10).discriminator(play)
    assert found.item() == pytest.approx(10 * (5 - 1) ** 2, rel=1e-5)
    (gradient,) = torch.autograd.grad(found, critic.a)
    torch.testing.assert_close(gradient, 2 * 10 * (5 - 1) * a / 5)  # d(‖a‖ - 1)² = 2 (‖a‖ - 1) a / ‖a‖


def test_gradients_are_drawn_to_a_target_and_scores_to_zero() -> None:
    """λ/γ² (‖∇‖ - γ)² and ε E D(x)² (Karras et al. 2018, appendix A.1 and, for γ, their CIFAR-10 settings)."""
    critic = LinearCritic(torch.tensor([3.0, 0.0, 4.0, 0.0]))
    play = Play(critic, real=torch.tensor([[1.0, 0, 0, 0], [0, 0, 2.0, 0]]), fake=torch.zeros(2, 4))
    game = -(3 + 8) / 2
    for target in (1.0, 10.0, 750.0):
        found = WassersteinGP(penalty=10, target=target).discriminator(play)
        assert found.item() == pytest.approx(game + 10 / target**2 * (5 - target) ** 2, rel=1e-5)
    found = WassersteinGP(penalty=0, drift=0.001).discriminator(play)
    assert found.item() == pytest.approx(game + 0.001 * (9 + 64) / 2)


def test_whether_a_discriminator_may_look_at_its_batch() -> None:
    assert WassersteinGP().needs == {"logits", "per-sample"}
    assert WassersteinGP(per_sample=False).needs == {"logits"}


def test_gradient_penalty_of_a_constant_critic_is_finite() -> None:
    critic = LinearCritic(torch.zeros(4))
    images = torch.randn(8, 1, 2, 2)
    found = WassersteinGP(penalty=1).discriminator(Play(critic, real=images, fake=images))
    (gradient,) = torch.autograd.grad(found, critic.a)
    assert found.item() == pytest.approx(1)
    assert torch.equal(gradient, torch.zeros(4))


def test_gradient_penalty_against_finite_differences() -> None:
    """Of the whole term in the critic's parameters, so that second-order gradients are right."""
    torch.manual_seed(0)
    critic = ToyDiscriminator(frozenset({"logits"})).double()
    real, fake = torch.rand(2, 4, 1, 4, 3, dtype=torch.float64)

    def term(weight: Tensor) -> Tensor:
        critic.first.weight.data = weight.detach()
        torch.manual_seed(7)
        return WassersteinGP().discriminator(Play(critic, real=real, fake=fake))

    weight = critic.first.weight.detach().clone()
    (gradient,) = torch.autograd.grad(term(weight), critic.first.weight)
    step = torch.zeros_like(weight)
    step[2, 3] = 1e-6
    difference = (term(weight + step) - term(weight - step)) / 2e-6
    assert gradient[2, 3].item() == pytest.approx(difference.item(), rel=1e-6)


def test_interpolates_lie_between_one_pair_each() -> None:
    seen: list[Tensor] = []

    class Watching(Reading):
        def forward(self, images: Tensor) -> Verdict:
            seen.append(images.detach())
            return Verdict(logits=images.flatten(1).sum(1))

    real, fake = torch.zeros(64, 1, 2, 2), torch.ones(64, 1, 2, 2)
    WassersteinGP().discriminator(Play(Watching(), real=real, fake=fake))
    between = seen[-1].flatten(1)
    assert torch.equal(between, between[:, :1].expand(-1, 4)), "one share per image"
    assert between.min() >= 0
    assert between.max() <= 1
    assert 0.3 < between.mean() < 0.7
    assert len(set(between[:, 0].tolist())) > 32, "a share of its own for each image"


def test_gradient_penalty_works_without_gradients_around_it() -> None:
    critic = LinearCritic(torch.tensor([3.0, 0.0, 4.0, 0.0]))
    with torch.no_grad():
        found = WassersteinGP().discriminator(Play(critic, real=torch.ones(2, 4), fake=torch.ones(2, 4)))
    assert found.item() == pytest.approx(160)


def test_gradient_penalty_refuses_unequal_batches() -> None:
    with pytest.raises(FitError, match=r"\[3, 4\] and \[2, 4\]"):
        WassersteinGP().discriminator(Play(LinearCritic(torch.ones(4)), real=torch.ones(3, 4), fake=torch.ones(2, 4)))


def test_wasserstein_settings() -> None:
    rmsprop, adam = {"optimizer": "rmsprop", "lr": 5e-5}, {"optimizer": "adam", "lr": 1e-4, "betas": [0.0, 0.9]}
    assert Wasserstein().settings == {
        "discriminator": {**rmsprop, "repeats": 5, "clip_weights": 0.01},
        "generator": rmsprop,
    }
    assert WassersteinGP().settings == {"discriminator": {**adam, "repeats": 5}, "generator": adam}


class Fixed(Generator):
    """An autoencoder with a chosen posterior and reconstruction."""

    provides = frozenset({"posterior"})

    def __init__(self, posterior: Posterior, images: Tensor) -> None:
        super().__init__()
        self.posterior, self.images = posterior, images

    def forward(self, noise: Tensor) -> Tensor:
        return self.images

    def encode(self, images: Tensor) -> Posterior:
        return self.posterior


def bound(loss: VariationalBound, real: Tensor, images: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    return loss.autoencoder(Play(real=real, autoencoder=Fixed(Posterior(mean, log_variance), images)))


def case(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    real, images = torch.rand(2, 3, 2, 4, 5, dtype=dtype) * 1.9 - 0.95
    return real, images, torch.randn(3, 6, dtype=dtype), torch.randn(3, 6, dtype=dtype)


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_divergence_against_torch(beta: float) -> None:
    real, _, mean, log_variance = case()
    prior, posterior = torch.distributions.Normal(0, 1), torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = beta * torch.distributions.kl_divergence(posterior, prior).sum() / 3
    found = bound(VariationalBound(beta=beta), real, real, mean, log_variance)
    torch.testing.assert_close(found, expected)


def test_divergence_from_the_prior_itself_is_zero() -> None:
    real, _, mean, _ = case(torch.float32)
    zero = torch.zeros_like(mean)
    assert bound(VariationalBound(), real, real, zero, zero).item() == 0
    tiny = bound(VariationalBound(), real, real, zero, torch.full_like(zero, 1e-3))
    assert tiny.item() == pytest.approx(6 * 0.5 * (math.expm1(1e-3) - 1e-3), rel=1e-3)


@pytest.mark.parametrize(
    ("reconstruction", "reference"),
    [
        ("mse", lambda x, y: ((x - y) ** 2).sum() / 3),
        ("l1", lambda x, y: np.abs(x - y).sum() / 3),
        ("bce", lambda x, y: -((x + 1) / 2 * np.log((y + 1) / 2) + (1 - x) / 2 * np.log((1 - y) / 2)).sum() / 3),
    ],
)
def test_reconstruction_against_numpy(reconstruction: Any, reference: Any) -> None:
    real, images, mean, _ = case()
    zero = torch.zeros_like(mean)
    found = bound(VariationalBound(reconstruction=reconstruction), real, images, zero, zero)
    assert found.item() == pytest.approx(reference(real.numpy(), images.numpy()), rel=1e-9)


@pytest.mark.parametrize("reconstruction", ["mse", "bce", "l1"])
def test_variational_bound_passes_gradcheck(reconstruction: Any) -> None:
    real, *inputs = case()
    loss = VariationalBound(reconstruction=reconstruction, beta=0.5)
    assert torch.autograd.gradcheck(lambda *given: bound(loss, real, *given), [x.requires_grad_() for x in inputs])


@pytest.mark.parametrize("far", [1.0, 1.5])
def test_cross_entropy_is_finite_at_and_beyond_the_ends(far: float) -> None:
    real = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2)
    images = torch.tensor([far, -far]).view(1, 1, 1, 2).requires_grad_()
    zero = torch.zeros(1, 2)
    found = bound(VariationalBound(reconstruction="bce"), real, images, zero, zero)
    (gradient,) = torch.autograd.grad(found, images)
    assert torch.isfinite(found)
    assert torch.isfinite(gradient).all()


def test_variational_bound_is_computed_in_float32() -> None:
    real, *inputs = (x.bfloat16() for x in case(torch.float32))
    for reconstruction in ("mse", "bce", "l1"):
        loss = VariationalBound(reconstruction=reconstruction)
        with torch.autocast("cpu", torch.bfloat16):
            found = bound(loss, real, *inputs)
        exact = bound(loss, real.double(), *(x.double() for x in inputs))
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Minimax, {"weight": -1.0}),
        (NonSaturating, {"weight": math.nan}),
        (Wasserstein, {"weight": math.inf}),
        (WassersteinGP, {"penalty": -1.0}),
        (WassersteinGP, {"target": 0.0}),
        (WassersteinGP, {"drift": -1.0}),
        (WassersteinGP, {"weight": -1.0}),
        (VariationalBound, {"beta": -1.0}),
        (VariationalBound, {"weight": -1.0}),
    ],
)
def test_options_out_of_range_are_refused(make: Any, options: dict[str, float]) -> None:
    (name,) = options
    with pytest.raises(OptionError, match=f"{name} must be (0 or more|above 0) and finite"):
        make(**options)


@pytest.mark.parametrize("loss", [Minimax(), Wasserstein()])
def test_a_verdict_without_logits_is_explained(loss: Any) -> None:
    play = Play(ToyDiscriminator(frozenset({"hidden"})), real=torch.rand(2, 1, 4, 3), fake=torch.rand(2, 1, 4, 3))
    with pytest.raises(FitError, match="no logits"):
        loss.discriminator(play)


def test_the_bound_refuses_posteriors_that_are_points() -> None:
    """Whose divergence from N(0, I) would only pull their means to 0."""
    play = Play(real=torch.zeros(2, 1, 2, 2))
    play.posterior = Posterior(torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3))
    play.reconstruction = torch.zeros(2, 1, 2, 2)
    with pytest.raises(FitError, match="this generator's are points, of a constant variance: use --generator vae"):
        VariationalBound().autoencoder(play)
    assert VariationalBound(beta=0).autoencoder(play) == 0


def test_codes_that_are_fitted_to_nothing_have_no_prior_and_that_is_noted() -> None:
    fitted, free = VariationalBound(), VariationalBound(beta=0)
    assert (fitted.prior, hasattr(fitted, "notes")) == (("normal",), False)
    assert free.prior == ()
    assert [note for note in free.notes if "beta=0 fits codes to no distribution" in note]
