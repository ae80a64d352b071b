"""Parts that somebody else wrote, in the simplest way that their kind allows, go the whole way in every recipe."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from small import small_parts
from torch import Tensor
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk import registry
from gantk.data import ArraySource
from gantk.parts import ImageShape
from gantk.registry import Plugin


class Squares(gantk.NoiseSource):
    """Squared normal noise, which no bundled part knows of."""

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng).square()


class Painter(gantk.Generator):
    """One layer."""

    def __init__(self, image_shape: ImageShape, noise_dim: int) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.layer = torch.nn.Linear(noise_dim, math.prod(image_shape))

    def forward(self, noise: Tensor) -> Tensor:
        return torch.tanh(self.layer(noise)).view(-1, *self.image_shape)


class Critic(gantk.Discriminator):
    """One hidden layer, and all that a loss can ask for."""

    provides = frozenset({"logits", "hidden", "code", "per-sample"})

    def __init__(self, image_shape: ImageShape, noise_dim: int) -> None:
        super().__init__()
        self.first = torch.nn.Linear(math.prod(image_shape), 5)
        self.second = torch.nn.Linear(5, 1 + noise_dim)

    def forward(self, images: Tensor) -> gantk.Verdict:
        hidden = torch.tanh(self.first(images.flatten(1)))
        read = self.second(hidden)
        return gantk.Verdict(logits=read[:, 0], hidden=(hidden,), code=read[:, 1:])


class Contrast(gantk.Refiner):
    """One number to be learned, by a player of its own that follows the generator's."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.gain * images)

    def players(self, path: str, stage: gantk.Stage) -> list[gantk.Player]:
        return [gantk.Player(path, (path,), Brightness())] if stage.adversarial else []


class Brightness:
    """Refined images are to be as bright as real ones."""

    def __call__(self, step: gantk.Step) -> dict[str, Tensor]:
        return {"brightness": (step["refined"].mean() - step["real"].mean()).square()}

    def __str__(self) -> str:
        return "brightness"


class Least(gantk.Loss):
    """Least squares, as a game."""

    adversarial = True
    needs = frozenset({"logits"})

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def discriminator(self, play: gantk.Play) -> Tensor:
        return (logits(play.real_verdict) - 1).square().mean() + logits(play.fake_verdict).square().mean()

    def generator(self, play: gantk.Play) -> Tensor:
        return (logits(play.fake_verdict) - 1).square().mean()


def logits(verdict: gantk.Verdict) -> Tensor:
    assert verdict.logits is not None
    return verdict.logits


STRANGERS = {"noise": Squares, "generator": Painter, "discriminator": Critic, "refiner": Contrast, "loss": Least}


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those five, as a package that somebody installed beside gantk."""
    installed, broken = registry._entry_points()
    others = [
        Plugin(kind, "strange", "strangers", "1.0", f"{__name__}:{part.__name__}") for kind, part in STRANGERS.items()
    ]
    monkeypatch.setattr(registry, "_entry_points", lambda: ((*installed, *others), broken))
    monkeypatch.setattr("gantk.building.assembly._versions", lambda spec: {})


@pytest.mark.slow
@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    ("recipe", "slots"),
    [
        ("dcgan", ("noise", "generator", "discriminator", "refiner", "loss")),
        ("wgan-gp", ("discriminator", "refiner")),
        ("autodecoder", ("noise", "discriminator", "loss")),
        ("degan", ("generator", "discriminator")),
        ("aegan", ("noise", "discriminator", "refiner", "loss")),
        ("progan", ("noise", "refiner", "loss")),
        ("age", ("noise", "refiner")),
        ("vae", ("noise",)),
    ],
)
def test_parts_of_strangers_fit_in(
    recipe: str, slots: tuple[str, ...], tiny_pictures: ArraySource, tmp_path: Path
) -> None:
    parts = {**small_parts({"recipe": recipe}), **dict.fromkeys(slots, "strange")}
    goes_the_whole_way(gantk.build(recipe, data=tiny_pictures, settings=SHORT, **parts), tiny_pictures, tmp_path)
