"""What becomes of a recipe's options where a user names a part of the same kind is said, whatever the part."""

from __future__ import annotations

from typing import Any

import pytest

import gantk
from gantk.building.composition import compose
from gantk.building.replaced import notes_on_replaced
from gantk.data import ArraySource

CASES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "the same plugin keeps the recipe's other options": (
        "autodecoder",
        {"generator": "dcgan:width=8"},
        [
            "generator dcgan keeps init_std=0.00282 of the recipe; --without generator --generator … starts from its "
            "own defaults."
        ],
    ),
    "several that keep some": (
        "autodecoder",
        {"generator": "dcgan:width=8", "discriminator": "dcgan:width=8,init_std=0.01", "loss": "code:loops=2"},
        [
            "generator dcgan keeps init_std=0.00282, discriminator dcgan keeps code=true and loss code keeps weight=0.5"
            " of the recipe; --without generator --generator … starts from its own defaults."
        ],
    ),
    "what a loss needs is not dropped": (
        "autodecoder",
        {"discriminator": "degan"},
        [
            "discriminator degan replaces the recipe's dcgan and drops its init_std=0.00282 (--discriminator "
            "degan:init_std=0.00282 would keep it)."
        ],
    ),
    "another plugin keeps none": (
        "autodecoder",
        {"generator": "degan:fc=16,widths=[8]"},
        [
            "generator degan replaces the recipe's dcgan and drops its init_std=0.00282 (--generator "
            "degan:init_std=0.00282 would keep it)."
        ],
    ),
    "an adversarial loss, and the weights of the others": (
        "autodecoder",
        {"loss": "wgan-gp"},
        [
            "loss wgan-gp replaces the recipe's nonsaturating and drops its weight=0.5 (--loss wgan-gp:weight=0.5 "
            "would keep it); of the recipe, loss code:weight=0.5 stays as before."
        ],
    ),
    "one weight of several": (
        "autodecoder",
        {"loss": "code:weight=0.3"},
        ["of the recipe, loss nonsaturating:weight=0.5 stays as before."],
    ),
    "options that the recipe's part alone has": (
        "aegan",
        {"refiner": "denoiser:width=4"},
        [
            "refiner denoiser keeps skips=true of the recipe; --without refiner --refiner … starts from its own "
            "defaults."
        ],
    ),
    "noise of another length": (
        "degan",
        {"noise": "gaussian"},
        ["noise gaussian replaces the recipe's de and drops its dim=128 (--noise gaussian:dim=128 would keep it)."],
    ),
    "a length that the user gives": ("degan", {"noise": "gaussian:dim=6"}, []),
    "what is the same all the same": ("dcgan", {"noise": "gaussian"}, []),
    "an added loss": ("autodecoder", {"loss": "hidden:weight=0.3"}, []),
    "left out first": ("autodecoder", {"generator": "dcgan:width=8", "without": "generator"}, []),
}


def said_of(model: gantk.Model) -> list[str]:
    marks = (" of the recipe; --without ", " replaces the recipe's ", "of the recipe, ")
    return [note for note in model.built.notes if any(mark in note for mark in marks)]


@pytest.mark.parametrize(("recipe", "chosen", "notes"), CASES.values(), ids=CASES)
def test_what_is_kept_and_dropped_is_said(recipe: str, chosen: dict[str, Any], notes: list[str]) -> None:
    assert said_of(gantk.build(recipe, data="digits", **chosen)) == notes


def test_a_part_from_python_drops_them_too(images: ArraySource) -> None:
    def noise(n: int) -> Any:
        import torch

        return torch.randn(n, 7)

    (note,) = said_of(gantk.build("degan", data=images, noise=noise))
    assert note == "noise noise replaces the recipe's de and drops its dim=128."


def test_a_recipe_as_it_is_has_nothing_to_say() -> None:
    spec = compose("autodecoder", {})
    assert notes_on_replaced(spec, {}, spec) == []


NONSATURATING, CODE = ({"plugin": f"gantk:{name}", "weight": 0.5} for name in ("nonsaturating", "code"))


def test_an_adversarial_loss_replaces_the_recipes_wherever_it_stands_in_the_list() -> None:
    other = {"plugin": "gantk:wgan-gp"}
    notes = notes_on_replaced({"loss": [CODE, NONSATURATING]}, {"loss": [other]}, {"loss": [other, CODE]})
    assert notes == [
        "loss wgan-gp replaces the recipe's nonsaturating and drops its weight=0.5 (--loss wgan-gp:weight=0.5 would "
        "keep it); of the recipe, loss code:weight=0.5 stays as before."
    ]


def test_a_loss_from_python_that_is_recorded_by_its_installed_name() -> None:
    given, recorded = {"plugin": "python:wgan-gp"}, {"plugin": "gantk:wgan-gp"}
    assert notes_on_replaced({"loss": [NONSATURATING]}, {"loss": [given]}, {"loss": [recorded]}) == []
