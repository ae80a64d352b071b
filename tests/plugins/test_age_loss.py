"""AGE's divergence and loss, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from gantk import Generator, Play, Posterior
from gantk.errors import FitError, OptionError
from gantk_age.losses import AGELoss, _projected, code_divergence
from gantk_age.noise import Sphere

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


def test_codes_of_half_precision_are_normalized_in_single_precision() -> None:
    kinds = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.float64: torch.float64}
    assert {kind: _projected(torch.ones(2, 3, dtype=kind)).dtype for kind in kinds} == kinds


def test_on_the_unit_sphere_cosine_is_half_of_l2() -> None:
    one, other = (Sphere(dim=5).sample(7, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    loss = AGELoss()
    half = AGELoss(code_distance="l2").code_distance(one, other) / 2
    assert loss.code_distance(one, other).item() == pytest.approx(half.item(), rel=1e-5)


@pytest.mark.parametrize("options", [{"images": -1.0}, {"codes": math.inf}, {"weight": -0.1}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="0 or more and finite"):
        AGELoss(**options)
