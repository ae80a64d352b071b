"""Composition: recipes, noise, losses, refiners and networks train in every pair, are kept and resumed, or refused.

A covering array holds every pair of choices that go together, in combinations of such pairs only; each trains for
real, on tiny images, with small networks. Every pair that does not go together is refused at build, for its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from covering import Combination, Pair, covering, every_pair, pairs_of
from small import OWN, TINY, bundled, small_parts
from whole_way import SHORT, goes_the_whole_way

import gantk
from gantk.building.composition import compose
from gantk.building.spec import bare_name
from gantk.data import ArraySource
from gantk.errors import FitError

RECIPES = ("gan", "dcgan", "wgan", "wgan-gp", "vae", "degan", "autodecoder", "aegan", "age", "progan")
"""Every schedule, and every preset that is not another one's for a data set or size."""

FACTORS: Mapping[str, tuple[str, ...]] = {
    "recipe": RECIPES,
    "noise": bundled("noise"),
    "loss": (OWN, *bundled("loss")),
    "refiner": ("", *bundled("refiner")),
    "generator": (OWN, *bundled("generator")),
    "discriminator": (OWN, *bundled("discriminator")),
    "condition": ("", "class"),
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
    Refusal(("recipe", WITHOUT_GAME), ("loss", OF_DISCRIMINATORS), "needs a discriminator", "leave out --loss"),
    Refusal(("recipe", {"vae"}), ("loss", {"age"}), "has a term for encoder and generator", "choose recipe 'age'"),
    Refusal(("recipe", {"age"}), ("loss", {"vae"}), "has a term for autoencoder", "leave out --loss vae"),
    Refusal(
        ("recipe", WITHOUT_GAME),
        ("discriminator", set(bundled("discriminator"))),
        "takes no discriminator",
        "leave out",
    ),
    Refusal(("recipe", {"vae"}), ("refiner", set(bundled("refiner"))), "takes no refiner", "leave out"),
    # What encodes images does not read conditions off them.
    Refusal(
        ("recipe", {"age"}),
        ("condition", {"class"}),
        "takes no condition",
        "leave out --condition",
    ),
    # Codes that are fitted to a prior are sampled from that one.
    Refusal(
        ("recipe", {"vae"}),
        ("noise", {"uniform", "sphere"}),
        "assumes that noise is standard normal",
        "--noise gaussian:dim=6",
    ),
    # A deterministic encoder has no posterior that could be fitted.
    Refusal(("recipe", {"vae"}), ("generator", {"age"}), "of a constant variance", "use --generator vae"),
    # They encode images: a generator needs an encoder.
    *(
        Refusal(("recipe", {recipe}), ("generator", others("generator", "vae", "age")), "needs posterior", mend)
        for recipe, mend in (("vae", "use --generator vae"), ("age", "use --generator age or --generator aae"))
    ),
    # Games between a generator and a discriminator have no autoencoder's or encoder's turn.
    Refusal(("recipe", GAMES), ("loss", {"vae", "age"}), "needs posterior", "leave out --loss"),
    # The game on embeddings needs them, and networks that do not grow cannot grow.
    Refusal(
        ("recipe", {"aegan"}),
        ("generator", others("generator", "aegan")),
        "needs for its game on embeddings",
        "choose recipe",  # images this small leave AEGAN's own discriminator too little to judge
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


def settings_of(combination: Combination) -> dict[str, Any]:
    """Short stages; and weights of progan's discriminator, which are scaled as they are used, are clipped less tightly.

    Clipped to WGAN's ±0.01 they would leave the generator no gradient to move by, which build refuses.
    """
    spec = compose(combination["recipe"], small_parts(combination))
    scaled = "discriminator" in spec and bare_name(spec["discriminator"]) == "progan"
    clipped = "wasserstein" in map(bare_name, spec["loss"])
    return {**SHORT, **({"stages.*.discriminator.clip_weights": 1.0} if scaled and clipped else {})}


def built(combination: Combination, data: ArraySource, **more: Any) -> gantk.Model:
    parts = {**small_parts(combination), **more}
    return gantk.build(combination["recipe"], data=data, settings=settings_of(combination), **parts)


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
def test_every_pair_trains(combination: Combination, tiny_pictures: ArraySource, tmp_path: Path) -> None:
    goes_the_whole_way(built(combination, tiny_pictures), tiny_pictures, tmp_path)


REFUSED_PAIRS = [(pair, found) for pair in every_pair(FACTORS) if (found := refusal(pair)) is not None]
ONE_OF_EACH = list({id(found): (pair, found) for pair, found in REFUSED_PAIRS}.values())


def name_of(value: object) -> str:
    return "-".join(v for _, v in value) if isinstance(value, tuple) else ""


@pytest.mark.parametrize(("pair", "expected"), REFUSED_PAIRS, ids=name_of)
def test_what_is_refused_says_why(
    pair: Pair, expected: Refusal, tiny_pictures: ArraySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gantk.building.build.mended", lambda error, *search: error)
    with pytest.raises(FitError) as caught:
        built(dict(pair), tiny_pictures)
    assert expected.says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("pair", "expected"), ONE_OF_EACH, ids=name_of)
def test_a_refusal_says_how_to_go_on(pair: Pair, expected: Refusal, tiny_pictures: ArraySource) -> None:
    with pytest.raises(FitError) as caught:
        built(dict(pair), tiny_pictures)
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
        {"noise": "de:dim=6,sample=false,autoencoder='age:width=4',loss='vae:beta=0'"},
    ),
    "a VAE's networks play AGE's game, on DE noise, with a denoiser": (
        "age",
        {"noise": TINY["noise"]["de"], "generator": TINY["generator"]["vae"], "refiner": TINY["refiner"]["denoiser"]},
    ),
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
    recipe: str, parts: dict[str, Any], tiny_pictures: ArraySource, tmp_path: Path
) -> None:
    own = small_parts({"recipe": recipe.partition(":")[0]})
    goes_the_whole_way(
        gantk.build(recipe, data=tiny_pictures, **{"settings": SHORT, **own, **parts}), tiny_pictures, tmp_path
    )
