"""What a refused build advises is followed, and builds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from small import TINY, bundled

import gantk
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.kinds import KINDS
from gantk.registry import plugins

FLAGS = {kind.flag: name for name, kind in KINDS.items()}
VERB = re.compile(r"(use|add|leave out|choose recipe) (.*)")

Request = dict[str, Any]


def advised(message: str) -> Iterator[str]:
    """The alternatives that a refusal ends with, one by one, each with its verb."""
    advice = message.removesuffix(".").rpartition(": ")[2]
    for group in advice.split(", or "):
        if group.startswith(("change the generator's options", "use larger images")):  # beside what builds
            continue
        found = VERB.fullmatch(group)
        assert found, f"no advice that can be followed in: {message}"
        yield from (f"{found[1]} {one}" for one in found[2].split(" or "))


def followed(advice: str, recipe: str, parts: Request) -> tuple[str, Request]:
    """A request, changed as an alternative says."""
    parts = dict(parts)
    for step in re.split(r" and (?=use |leave out |choose )", advice):
        found = VERB.fullmatch(step)
        assert found, step
        verb, what = found[1], found[2]
        if verb == "choose recipe":
            recipe = what.strip("'")
        elif verb == "leave out":
            for each in what.split(" and "):
                flag, _, name = each.partition(" ")
                listed = parts.pop(FLAGS[flag])
                if name and (others := [one for one in [*listed] if one != name]) and isinstance(listed, list):
                    parts[FLAGS[flag]] = others
        else:
            words = what.split()
            parts |= {FLAGS[flag]: part for flag, part in zip(words[::2], words[1::2], strict=True)}
    return recipe, parts


def check(recipe: str, parts: Request, data: ArraySource) -> None:
    """What is asked for builds, or every alternative that the refusal names does."""
    try:
        gantk.build(recipe, data=data, **parts)
    except FitError as error:
        alternatives = list(advised(str(error)))
        assert alternatives
        for advice in alternatives:
            changed, other = followed(advice, recipe, parts)
            assert (changed, other) != (recipe, parts), advice
            gantk.build(changed, data=data, **other)


RECIPES = ("dcgan",)  # the search is the same for all
SINGLE = [
    (recipe, kind, name)
    for recipe in RECIPES
    for kind in ("generator", "discriminator", "loss", "refiner", "condition")
    for name in bundled(kind)
]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_advice_on_one_part_builds(recipe: str, tiny_pictures: ArraySource) -> None:
    for own, kind, name in SINGLE:
        if own == recipe:
            check(recipe, {kind: TINY.get(kind, {}).get(name, name)}, tiny_pictures)


PAIRS: dict[str, tuple[str, Request]] = {
    "a generator without encoder in a game of one": ("autoencoder-game", {"generator": "aegan", "loss": "age"}),
    "both wrong": ("autoencoder-game", {"generator": "dcgan:width=4", "loss": "minimax"}),
    "networks that do not grow": ("growing", {"generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}),
    "clipped, scaled weights": ("wgan", {"discriminator": TINY["discriminator"]["progan"]}),
    "an option against a need": ("wgan-gp", {"discriminator": "dcgan:width=4,norm=batch"}),
    "a fitted autoencoder with a judge and a judge's loss": ("vae", {"discriminator": "dcgan", "loss": "hidden"}),
    "labels that are no vectors": ("dcgan", {"condition": "vector"}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "parts"), PAIRS.values(), ids=PAIRS)
def test_advice_on_several_parts_builds(recipe: str, parts: Request, tiny_pictures: ArraySource) -> None:
    with pytest.raises(FitError):
        gantk.build(recipe, data=tiny_pictures, **parts)
    check(recipe, parts, tiny_pictures)


@pytest.mark.parametrize(
    ("recipe", "parts", "says"),
    [
        ("dcgan", {"loss": "age"}, "choose recipe 'age', or leave out --loss age."),
        ("autoencoder-game", {"generator": "aegan", "loss": "age"}, "use --generator age or --generator aae, or"),
        ("wgan", {"discriminator": TINY["discriminator"]["progan"]}, "use --loss wgan-gp or --discriminator"),
        ("wgan-gp", {"discriminator": "dcgan:norm=batch"}, "use --discriminator dcgan:norm=layer, or"),
        ("vae", {"discriminator": "dcgan"}, "takes no discriminator: choose recipe 'dcgan', or leave out"),
        ("dcgan", {"loss": ["vae", "age"]}, "leave out --loss"),
    ],
)
def test_the_first_message_names_what_works(recipe: str, parts: Request, says: str, tiny_pictures: ArraySource) -> None:
    with pytest.raises(FitError) as caught:
        gantk.build(recipe, data=tiny_pictures, **parts)
    assert says in str(caught.value)


@pytest.mark.parametrize("recipe", [plugin.name for plugin in plugins("recipe") if "recipe:" in plugin.target])
def test_a_schedule_builds_by_itself(recipe: str, images: ArraySource) -> None:
    """It has parts of its own, so that what it says of a user's part is about that part."""
    small = {
        "growing": {"generator": TINY["generator"]["progan"], "discriminator": TINY["discriminator"]["progan"]},
        "game-per-size": {"generator": "stackgan-v2:width=4"},
    }
    model = gantk.build(recipe, data="digits", **small.get(recipe, {}))
    assert all(stage.players for stage in model.built.stages)


class Bare(gantk.Recipe):
    """Needs parts and has none of its own."""

    def stages(self, model: gantk.Model) -> list[gantk.Stage]:
        sides = ("discriminator", "generator")
        return [gantk.Stage("game", [gantk.Player(side, (side,), gantk.Terms(model.losses, side)) for side in sides])]


def test_parts_that_are_missing_are_all_named(
    register: Callable[[str, str, type], None], tiny_pictures: ArraySource
) -> None:
    register("recipe", "bare", Bare)
    with pytest.raises(FitError) as caught:
        gantk.build("bare", data=tiny_pictures, loss="nonsaturating")
    assert str(caught.value) == (
        "recipe 'bare' needs a noise and a generator and a discriminator: "
        "add --noise uniform --generator dcgan --discriminator dcgan."
    )


class Picky(gantk.Recipe):
    """A recipe of an author who knows of no advice: what fits is found all the same."""

    def stages(self, model: gantk.Model) -> list[gantk.Stage]:
        if not hasattr(model.generator, "encoder"):
            raise FitError("this schedule moves an encoder, and the generator has none.")
        player = gantk.Player("autoencoder", ("generator",), gantk.Terms(model.losses, "autoencoder"))
        return [gantk.Stage("fit", [player])]


def test_a_refusal_without_advice_gets_some(
    register: Callable[[str, str, type], None], tiny_pictures: ArraySource
) -> None:
    register("recipe", "picky", Picky)
    given: Request = {"noise": "gaussian:dim=4", "discriminator": "dcgan:width=4", "loss": "vae"}
    with pytest.raises(FitError) as caught:
        gantk.build("picky", data=tiny_pictures, generator="aegan:width=4", **given)
    for advice in advised(str(caught.value)):
        gantk.build(*[followed(advice, "picky", given)[0]], data=tiny_pictures, **followed(advice, "picky", given)[1])


def test_one_side_of_a_game_without_the_other_is_refused(tiny_pictures: ArraySource) -> None:
    """A generator that helps its encoder, with nobody against it, sees no image and learns nothing."""
    with pytest.raises(
        FitError, match="in this recipe only the generator minimizes it: choose recipe 'age', or"
    ) as caught:
        gantk.build("autodecoder", data=tiny_pictures, loss="age", generator="age:width=4")
    for advice in advised(str(caught.value)):
        recipe, parts = followed(advice, "autodecoder", {"loss": "age", "generator": "age:width=4"})
        gantk.build(recipe, data=tiny_pictures, **parts)
