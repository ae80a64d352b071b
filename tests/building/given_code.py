"""Code that is given in place of names: each kind of part as a class, an instance, a module and a function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gantk
from gantk.parts import ImageShape
from gantk_classic.dcgan import DCGANDiscriminator, DCGANGenerator
from gantk_classic.losses import NonSaturating

SHAPE = (1, 14, 14)


# Parts that know gantk.


class Squares(gantk.NoiseSource):
    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng).square()


class Painter(gantk.Generator):
    def __init__(self, image_shape: ImageShape, noise_dim: int, *, width: int = 8) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.layers = nn.Sequential(nn.Linear(noise_dim, width), nn.ReLU(), nn.Linear(width, math.prod(image_shape)))

    def forward(self, noise: Tensor) -> Tensor:
        return torch.tanh(self.layers(noise)).view(-1, *self.image_shape)


class Critic(gantk.Discriminator):
    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.layer = nn.Linear(math.prod(image_shape), 1)

    def forward(self, images: Tensor) -> gantk.Verdict:
        return gantk.Verdict(logits=self.layer(images.flatten(1))[:, 0])


class Softened(gantk.Refiner):
    def __init__(self) -> None:
        super().__init__()

    def forward(self, images: Tensor) -> Tensor:
        return 0.5 * images


class Least(gantk.Loss):
    adversarial = True
    needs = frozenset({"logits"})

    def discriminator(self, play: gantk.Play) -> Tensor:
        real, fake = play.real_verdict.logits, play.fake_verdict.logits
        assert real is not None
        assert fake is not None
        return (real - 1).square().mean() + fake.square().mean()

    def generator(self, play: gantk.Play) -> Tensor:
        assert play.fake_verdict.logits is not None
        return (play.fake_verdict.logits - 1).square().mean()


# Modules that have never heard of it.


class PlainNoise(nn.Module):
    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim
        self.mean = nn.Parameter(torch.zeros(dim))

    def forward(self, n: int) -> Tensor:
        return self.mean + torch.randn(n, self.dim)


class PlainG(nn.Module):
    """Noise as maps, as in PyTorch's own DCGAN tutorial."""

    def __init__(self, nz: int = 6, *, width: int = 4) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, width, 7),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 2, 2),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        found: Tensor = self.main(z)
        return found


class PlainD(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(1, width, 4, 2), nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1))
        self.end = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.end(self.main(x))
        return found


class PlainRefiner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x))


class Brightness(nn.Module):
    def forward(self, play: gantk.Play) -> Tensor:
        return (play.fake.mean() - play.real.mean()).square()


# Functions.


def numpy_noise(n: int) -> np.ndarray[Any, Any]:
    return np.random.standard_normal((n, 6))


def make_generator(image_shape: ImageShape, noise_dim: int, width: int = 8) -> nn.Module:
    return nn.Sequential(nn.Linear(noise_dim, width), nn.ReLU(), nn.Linear(width, math.prod(image_shape)), nn.Tanh())


def make_discriminator() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(14 * 14, 1))


body, judge, polish = nn.Linear(6, 14 * 14), nn.Linear(14 * 14, 1), nn.Conv2d(1, 1, 1)


def paint(z: Tensor) -> Tensor:
    return torch.tanh(body(z)).view(-1, 1, 14, 14)


def judged(images: Tensor) -> tuple[Tensor, Tensor]:
    score = judge(images.flatten(1))
    return score, score


def polished(images: Tensor) -> Tensor:
    return torch.tanh(polish(images))


def brightness(play: gantk.Play) -> Tensor:
    return (play.fake.mean() - play.real.mean()).square()


def real_game(play: gantk.Play) -> Tensor:
    assert play.real_verdict.logits is not None
    assert play.fake_verdict.logits is not None
    return F.softplus(-play.real_verdict.logits).mean() + F.softplus(play.fake_verdict.logits).mean()


def fake_game(play: gantk.Play) -> Tensor:
    assert play.fake_verdict.logits is not None
    return F.softplus(-play.fake_verdict.logits).mean()


CODE: dict[str, dict[str, Callable[[], Any]]] = {
    "noise": {
        "class": lambda: Squares,
        "class with options": lambda: (Squares, {"dim": 5}),
        "instance": lambda: Squares(dim=4),
        "module class": lambda: (PlainNoise, {"dim": 5}),
        "module": PlainNoise,
        "function": lambda: numpy_noise,
        "lambda": lambda: lambda n, rng=None: torch.randn(n, 3, generator=rng),
        "distribution": lambda: torch.distributions.Uniform(-torch.ones(4), torch.ones(4)),
    },
    "generator": {
        "class": lambda: Painter,
        "class with options": lambda: (Painter, {"width": 5}),
        "instance": lambda: Painter(SHAPE, 6, width=5),
        "bundled instance": lambda: DCGANGenerator(image_shape=SHAPE, noise_dim=6, width=4),
        "module class": lambda: (PlainG, {"width": 3}),
        "module": lambda: PlainG(),
        "sequential": lambda: nn.Sequential(nn.Linear(6, 196), nn.Tanh()),
        "function": lambda: make_generator,
        "function with options": lambda: (make_generator, {"width": 4}),
        "function of noise": lambda: paint,
    },
    "discriminator": {
        "class": lambda: Critic,
        "instance": lambda: Critic(SHAPE),
        "bundled instance": lambda: DCGANDiscriminator(SHAPE, 6, width=4),
        "module class": lambda: (PlainD, {"width": 3}),
        "module": PlainD,
        "sequential": lambda: nn.Sequential(nn.Linear(196, 1)),
        "function": lambda: make_discriminator,
        "function of images": lambda: judged,
    },
    "refiner": {
        "class": lambda: Softened,
        "instance": lambda: Softened(),
        "module class": lambda: PlainRefiner,
        "module": PlainRefiner,
        "function": lambda: lambda image_shape: nn.Conv2d(image_shape[0], image_shape[0], 1),
        "function of images": lambda: polished,
    },
    "loss": {
        "class": lambda: Least,
        "instance": lambda: Least(),
        "bundled instance": lambda: NonSaturating(),
        "module class": lambda: Brightness,
        "module": Brightness,
        "criterion class": lambda: nn.MSELoss,
        "criterion": nn.BCEWithLogitsLoss,
        "criterion function": lambda: F.mse_loss,
        "function": lambda: brightness,
        "function with a weight": lambda: (brightness, {"weight": 0.1}),
        "functions": lambda: {"discriminator": real_game, "generator": fake_game},
        "several": lambda: [brightness, "hidden", Least],
    },
    "addon": {"function": lambda: lambda images: images.flip(3), "module": nn.Identity},
    "metric": {"function": lambda: lambda model: model.sample(2).mean()},
}
SMALL = {"noise": "gaussian:dim=6", "generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
CASES = [(kind, form) for kind, forms in CODE.items() for form in forms]
