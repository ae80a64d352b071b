"""Composition: recipes, noise, losses, refiners and networks train in every pair, are kept and resumed, or refused.

A covering array holds every pair of choices that go together, in combinations of such pairs only; each trains for
real, on tiny images, with small networks. Every pair that does not go together is refused at build, for its reason.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from covering import Combination, Pair, covering, every_pair, pairs_of
from safetensors.torch import load_file
from small import TINY
from torch import Tensor

import gantk
from gantk import registry
from gantk.assembly import compose
from gantk.checkpoint import load
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.parts import ImageShape
from gantk.registry import Plugin, plugins
from gantk.run import Run
from gantk.spec import bare_name
from gantk.training.progress import Silent


@pytest.fixture
def pictures() -> ArraySource:
    """24 random grey images of 16×18 pixels, the smallest that every bundled network takes, of two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 1, 16, 18), dtype=np.uint8)
    return ArraySource(pixels, np.arange(24) % 2, ("even", "odd"))


OWN = "its own"
"""The recipe's own part, and no loss but the recipe's own."""


def bundled(kind: str) -> tuple[str, ...]:
    return tuple(plugin.name for plugin in plugins(kind) if plugin.package == "gantk")


RECIPES = ("gan", "dcgan", "wgan", "wgan-gp", "vae", "degan", "autodecoder", "aegan", "age", "progan")
"""Every schedule, and every preset that is not another one's for a data set or size."""

FACTORS: Mapping[str, tuple[str, ...]] = {
    "recipe": RECIPES,
    "noise": bundled("noise"),
    "loss": (OWN, *bundled("loss")),
    "refiner": ("", *bundled("refiner")),
    "generator": (OWN, *bundled("generator")),
    "discriminator": (OWN, *bundled("discriminator")),
}

WITHOUT_GAME = {"vae", "age"}
GAMES = set(RECIPES) - WITHOUT_GAME
WITH_POSTERIOR = {OWN, "vae", "age"}
OF_DISCRIMINATORS = {"minimax", "nonsaturating", "wasserstein", "wgan-gp", "hidden", "code"}


@dataclass(frozen=True)
class Refusal:
    """Pairs that do not go together: any value of `one` with any of `other`.

    Args:
        one, other: factor → values.
        says: what the build's error holds.
        mend: what it holds beside that, by which one gets on.
    """

    one: tuple[str, set[str]]
    other: tuple[str, set[str]]
    says: str
    mend: str

    def holds(self, pair: Pair) -> bool:
        return any(
            a[0] == self.one[0] and a[1] in self.one[1] and b[0] == self.other[0] and b[1] in self.other[1]
            for a, b in (pair, pair[::-1])
        )


def others(kind: str, *kept: str) -> set[str]:
    return set(bundled(kind)) - set(kept)


REFUSED = (
    # An autoencoder that is fitted, and one that plays against itself, have nobody for these to speak to.
    Refusal(
        ("recipe", WITHOUT_GAME), ("loss", OF_DISCRIMINATORS), "needs a discriminator", "choose a recipe with a game"
    ),
    Refusal(("recipe", {"vae"}), ("loss", {"age"}), "speaks to encoder and generator", "choose another recipe"),
    Refusal(("recipe", {"age"}), ("loss", {"vae"}), "speaks to autoencoder", "choose another recipe"),
    Refusal(
        ("recipe", WITHOUT_GAME),
        ("discriminator", set(bundled("discriminator"))),
        "takes no discriminator",
        "leave out",
    ),
    Refusal(("recipe", {"vae"}), ("refiner", set(bundled("refiner"))), "takes no refiner", "leave out"),
    # They encode images: a generator needs an encoder.
    Refusal(
        ("recipe", WITHOUT_GAME),
        ("generator", others("generator", "vae", "age")),
        "needs posterior",
        "choose another --generator",
    ),
    # Games between a generator and a discriminator have no autoencoder's or encoder's turn.
    Refusal(("recipe", GAMES), ("loss", {"vae", "age"}), "needs posterior", "choose another --generator"),
    # The game on embeddings needs them, and networks that do not grow cannot grow.
    Refusal(
        ("recipe", {"aegan"}), ("generator", others("generator", "aegan")), "game is on embeddings", "--generator aegan"
    ),
    Refusal(
        ("recipe", {"progan"}),
        ("generator", others("generator", "progan")),
        "a generator that grows",
        "--generator progan",
    ),
    Refusal(
        ("recipe", {"progan"}),
        ("discriminator", others("discriminator", "progan")),
        "a discriminator that grows",
        "--discriminator progan",
    ),
)


def refusal(pair: Pair) -> Refusal | None:
    return next((each for each in REFUSED if each.holds(pair)), None)


COMBINATIONS, IMPOSSIBLE = covering(FACTORS, lambda pair: refusal(pair) is None)


def written(combination: Combination) -> str:
    return ",".join(value.replace(" ", "-") or "-" for value in combination.values())


def parts_of(combination: Combination) -> dict[str, Any]:
    """The arguments of a build: every part small, whether it is chosen or the recipe's own."""
    spec = compose(combination["recipe"], {})
    parts: dict[str, Any] = {}
    for slot in ("noise", "generator", "discriminator", "refiner"):
        chosen = combination.get(slot, OWN)
        if chosen == OWN and slot in spec:
            chosen = bare_name(spec[slot])
        if chosen not in (OWN, ""):
            parts[slot] = TINY[slot][chosen]
    if combination.get("loss", OWN) != OWN:
        parts["loss"] = combination["loss"]
    return parts


SHORT = {
    "stages.*.length": "2 steps",
    "stages.*.batch_size": 4,
    "train.log_every": 1,
    "train.sample_every": 4,
    "train.samples": 2,
    "train.checkpoint_every": 1,
    "train.keep": 99,
}


def settings_of(combination: Combination) -> dict[str, Any]:
    """Short stages; and weights of progan's discriminator, which are scaled as they are used, are clipped less tightly.

    Clipped to WGAN's ±0.01 they would leave the generator a gradient that it cannot move by.
    """
    scaled = {"discriminator": "progan", "recipe": "progan"}
    clipped = {"loss": "wasserstein", "recipe": "wgan"}
    own = {slot: combination.get(slot, OWN) for slot in ("discriminator", "loss")}
    both = all(
        own[slot] == names[slot] or (own[slot] == OWN and combination["recipe"] == names["recipe"])
        for slot, names in (("discriminator", scaled), ("loss", clipped))
    )
    return {**SHORT, **({"stages.*.discriminator.clip_weights": 1.0} if both else {})}


def built(combination: Combination, data: ArraySource, **more: Any) -> gantk.Model:
    parts = {**parts_of(combination), **more}
    return gantk.build(combination["recipe"], data=data, settings=settings_of(combination), **parts)


def weights(run: Run, step: int) -> dict[str, Tensor]:
    return load_file(run.checkpoint(step) / "model.safetensors")


def check(model: gantk.Model, data: ArraySource, folder: Path) -> None:
    """Train, sample, load and resume: everybody moves, and a resumed run ends in the same bits.

    Args:
        model: freshly built, with two steps to a stage.
        data: what it was built on.
        folder: an empty one.
    """
    whole, resumed = Run(folder / "whole"), Run(folder / "resumed")
    before = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    gantk.train(model, whole.path, progress=Silent())
    last = 2 * len(model.stages)
    assert whole.steps()[-1] == last

    for number, stage in enumerate(model.stages):
        start = weights(whole, 2 * number) if number else before
        end = weights(whole, 2 * number + 2)
        for player in stage.players:
            for path in player.moves:
                moved = [name for name, _ in model.get_submodule(path).named_parameters(prefix=path)]
                assert any(not torch.equal(start[name], end[name]) for name in moved), (
                    f"{stage.name}: {path} stood still"
                )

    images = model.sample(3, seed=1)
    assert images.shape == (3, *data.image_shape)
    assert torch.equal(load(whole.path, data=data).sample(3, seed=1), images)

    shutil.copytree(whole.path, resumed.path)
    shutil.rmtree(resumed.checkpoint(last))
    gantk.train(load(resumed.path, data=data), resumed.path, progress=Silent())
    one, other = weights(whole, last), weights(resumed, last)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_the_combinations_hold_every_pair() -> None:
    held = frozenset().union(*map(pairs_of, COMBINATIONS))
    for pair in every_pair(FACTORS):
        assert (pair in held) + (pair in IMPOSSIBLE) + (refusal(pair) is not None) == 1, pair
    assert len(COMBINATIONS) < 130


def test_what_cannot_be_combined_at_all_is_known() -> None:
    """Pairs that are not refused as such, but fit into no recipe: what only a system without a discriminator takes."""
    for (one, a), (other, b) in IMPOSSIBLE:
        assert a in {"vae", "age"} or b in {"vae", "age"}, (one, a, other, b)


@pytest.mark.slow
@pytest.mark.parametrize("combination", COMBINATIONS, ids=written)
def test_every_pair_trains(combination: Combination, pictures: ArraySource, tmp_path: Path) -> None:
    check(built(combination, pictures), pictures, tmp_path)


REFUSED_PAIRS = [(pair, found) for pair in every_pair(FACTORS) if (found := refusal(pair)) is not None]


@pytest.mark.parametrize(
    ("pair", "expected"),
    REFUSED_PAIRS,
    ids=lambda value: "-".join(v for _, v in value) if isinstance(value, tuple) else "",
)
def test_what_is_refused_says_why(pair: Pair, expected: Refusal, pictures: ArraySource) -> None:
    with pytest.raises(FitError) as caught:
        built(dict(pair), pictures)
    assert expected.says in str(caught.value)
    assert expected.mend in str(caught.value)
    assert "\n" not in str(caught.value)


NAMED: Mapping[str, tuple[str, dict[str, Any]]] = {
    "DE noise under WGAN-GP, with code loss and denoiser": (
        "wgan-gp",
        {"noise": TINY["noise"]["de"], "loss": "code", "refiner": TINY["refiner"]["denoiser"]},
    ),
    "code loss in AEGAN's game on embeddings": ("aegan", {"loss": "code"}),
    "code loss in loops in AEGAN's game on embeddings, fine-tuned": ("aegan:fine_tune=true", {"loss": "code:loops=2"}),
    "DE noise into Progressive GAN": ("progan", {"noise": TINY["noise"]["de"]}),
    "DE noise, hidden loss and code loss in one": (
        "dcgan",
        {"noise": TINY["noise"]["de"], "loss": ["hidden:players=both", "code"]},
    ),
    "DE-GAN's parts under WGAN-GP, in AEGAN's game on embeddings, with the denoiser's skips": (
        "aegan",
        {"noise": TINY["noise"]["de"], "loss": ["wgan-gp", "hidden"], "refiner": "denoiser:width=4,skips=true"},
    ),
    "DE noise of an AGE's decoder and encoder": (
        "dcgan",
        {"noise": "de:dim=6,sample=false,autoencoder='age:width=4'"},
    ),
    "a VAE's networks play AGE's game, on DE noise, with a denoiser": (
        "age",
        {"noise": TINY["noise"]["de"], "generator": TINY["generator"]["vae"], "refiner": TINY["refiner"]["denoiser"]},
    ),
    "an AGE's networks are fitted as a VAE": ("vae", {"generator": TINY["generator"]["age"]}),
    "images with noise on them, under the code loss, in a Wasserstein game": (
        "autodecoder:image_noise=0.3",
        {"loss": "wasserstein"},
    ),
    "a denoiser that plays a game of its own": (
        "degan",
        {"refiner": "denoiser:width=4,loss=wgan-gp,discriminator='dcgan:width=4'"},
    ),
    "an averaged generator and denoiser": (
        "wgan",
        {"refiner": TINY["refiner"]["denoiser"], "settings": {**SHORT, "train.ema": 0.9}},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "parts"), NAMED.values(), ids=NAMED)
def test_what_the_papers_never_combined(
    recipe: str, parts: dict[str, Any], pictures: ArraySource, tmp_path: Path
) -> None:
    own = parts_of({"recipe": recipe.partition(":")[0]})
    check(gantk.build(recipe, data=pictures, **{"settings": SHORT, **own, **parts}), pictures, tmp_path)


class Squares(gantk.NoiseSource):
    """Squared normal noise, which no bundled part knows of."""

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, generator=generator).square()


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
    monkeypatch.setattr("gantk.assembly._versions", lambda spec: {})


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
def test_parts_of_strangers_fit_in(recipe: str, slots: tuple[str, ...], pictures: ArraySource, tmp_path: Path) -> None:
    check(built({"recipe": recipe}, pictures, **dict.fromkeys(slots, "strange")), pictures, tmp_path)
