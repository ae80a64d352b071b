"""What the bundled losses log of their terms: parts by name, against values by hand, which sum to the term."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

import gantk
from gantk import Discriminator, Loss, Play, Verdict
from gantk.run.entries import read_log
from gantk.testing import ToyGenerator
from gantk.training.progress import Silent
from gantk_age.losses import AGELoss, code_divergence
from gantk_autodecoder.losses import CodeLoss
from gantk_classic.losses import Minimax, NonSaturating, VariationalBound, Wasserstein, WassersteinGP
from gantk_degan.losses import HiddenSpace

SHAPE = (1, 4, 3)


class Sums(Discriminator):
    """Linear: the gradient of its logit is 1/2 everywhere, so that its norm is √12 / 2."""

    def forward(self, images: Tensor) -> Verdict:
        flat = images.flatten(1)
        return Verdict(logits=flat.sum(1) / 2, hidden=(flat,), code=flat[:, :5])


def play() -> Play:
    torch.manual_seed(0)
    generator = ToyGenerator(SHAPE)
    noise = torch.randn(6, 5)
    real = torch.rand(6, *SHAPE) * 2 - 1
    return Play(Sums(), real=real, fake=generator(noise), noise=noise, generator=generator, autoencoder=generator)


def logits(images: Tensor) -> Tensor:
    return images.flatten(1).sum(1) / 2


def codes(play: Play, images: Tensor) -> Tensor:
    """On the unit sphere, where AGE compares them."""
    return F.normalize(play.autoencoder.encode(images).mean, dim=1)


def kl(play: Play) -> Tensor:
    posterior = play.posterior
    found = Normal(posterior.mean, (0.5 * posterior.log_variance).exp())
    return kl_divergence(found, Normal(0.0, 1.0)).sum(1).mean()


def cross_entropy(images: Tensor, real: bool) -> Tensor:
    found = logits(images)
    return F.binary_cross_entropy_with_logits(found, torch.full_like(found, float(real)))


Part = tuple[Callable[[Play], Any], float]
GAME: dict[str, Part] = {
    "real": (lambda p: cross_entropy(p.real, True), 1),
    "fake": (lambda p: cross_entropy(p.fake, False), 1),
}
WASSERSTEIN: dict[str, Part] = {"wasserstein": (lambda p: logits(p.real).mean() - logits(p.fake).mean(), -1)}

PARTS: dict[str, tuple[Loss, str, dict[str, Part]]] = {
    "minimax": (Minimax(), "discriminator", GAME),
    "nonsaturating": (NonSaturating(weight=0.5), "discriminator", GAME),
    "wgan": (Wasserstein(), "discriminator", WASSERSTEIN),
    "wgan-gp": (
        WassersteinGP(penalty=7, target=2, drift=0.1),
        "discriminator",
        {
            **WASSERSTEIN,
            "penalty": (lambda p: (3**0.5 / 2 - 1) ** 2, 7),
            "drift": (lambda p: logits(p.real).square().mean(), 0.1),
        },
    ),
    "vae": (
        VariationalBound(beta=0.25),
        "autoencoder",
        {
            "reconstruction": (lambda p: (p.reconstruction - p.real).square().flatten(1).sum(1).mean(), 1),
            "kl": (kl, 0.25),
        },
    ),
    "age's encoder": (
        AGELoss(images=3),
        "encoder",
        {
            "real_divergence": (lambda p: code_divergence(codes(p, p.real), scale="std"), 1),
            "fake_divergence": (lambda p: code_divergence(codes(p, p.fake), scale="std"), -1),
            "image_distance": (lambda p: (p.autoencoder(codes(p, p.real)) - p.real).abs().mean(), 3),
        },
    ),
    "age's generator": (
        AGELoss(codes=20, code_distance="l2"),
        "generator",
        {
            "fake_divergence": (lambda p: code_divergence(codes(p, p.fake), scale="std"), 1),
            "code_distance": (lambda p: (codes(p, p.fake) - F.normalize(p.noise, dim=1)).square().mean(), 20),
        },
    ),
    "code": (
        CodeLoss(scale=0.5),
        "generator",
        {"distance": (lambda p: (p.fake.flatten(1)[:, :5] - p.noise).norm(dim=1).mean(), 0.5)},
    ),
    "hidden": (
        HiddenSpace(players="both"),
        "discriminator",
        {"distance": (lambda p: (p.real - p.fake).flatten(1).norm(dim=1).mean(), -1)},
    ),
}


@pytest.mark.parametrize(("loss", "role", "parts"), PARTS.values(), ids=PARTS)
def test_parts_are_what_their_names_say_and_sum_to_the_term(loss: Loss, role: str, parts: dict[str, Part]) -> None:
    shown = play()
    torch.manual_seed(1)
    term = getattr(loss, role)(shown)
    torch.manual_seed(1)
    with torch.no_grad():
        expected = {name: float(value(shown)) for name, (value, _) in parts.items()}
    assert {name: float(value) for name, (value, _) in shown.logged.items()} == pytest.approx(expected, rel=1e-4)
    assert {name: weight for name, (_, weight) in shown.logged.items()} == {n: w for n, (_, w) in parts.items()}
    total = sum(weight * float(value) for value, weight in shown.logged.values())
    assert term.item() == pytest.approx(total, rel=1e-5)
    assert not any(value.requires_grad for value, _ in shown.logged.values())


def test_rounds_of_the_code_loss_are_logged_by_their_mean() -> None:
    shown = play()
    term = CodeLoss(scale=0.5, loops=3).generator(shown)
    distance, weight = shown.logged["distance"]
    assert (term.item(), weight) == (pytest.approx(0.5 * distance.item()), 0.5)


def test_the_denoiser_logs_its_distance_beside_its_weight(tiny: Callable[..., gantk.Model], tmp_path: Path) -> None:
    gantk.train(tiny(refiner="denoiser:width=4,weight=30"), tmp_path / "run", progress=Silent())
    for entry in read_log(gantk.Run(tmp_path / "run").log_file):
        values = entry["values"]
        game, distance = values["refiner/game/nonsaturating"], values["refiner/content/l1"]
        assert 0 < distance < 2
        assert values["refiner/content/l1/weight"] == 30
        assert values["refiner/objective"] == pytest.approx(game + 30 * distance, rel=1e-5)
