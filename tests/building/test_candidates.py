"""Which changes may help a refused build, and in which order; none of them is built here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gantk.building.candidates import advised, with_other_parts, with_other_recipe, with_recipe_of_loss
from gantk.building.presets import recipe_spec
from gantk.building.request import Request
from gantk.errors import FitError


def asked(recipe: str = "dcgan", **chosen: Any) -> Request:
    return Request(recipe_spec(recipe), chosen)


WGAN_GP = {"plugin": "gantk:wgan-gp"}


def test_the_recipe_with_the_name_of_a_chosen_part_comes_first_and_the_present_one_never() -> None:
    found = [change.what for change in with_other_recipe(asked(loss=[WGAN_GP]))]
    assert found[0] == "recipe 'wgan-gp'"
    assert len(found) > 1
    assert found[1:] == sorted(found[1:])
    again = [change.what for change in with_other_recipe(asked("wgan-gp", loss=[WGAN_GP]))]
    assert again == found[1:]


def test_a_recipe_is_chosen_for_a_loss_of_its_name_alone() -> None:
    assert [change.what for change in with_recipe_of_loss(asked(loss=[WGAN_GP]))] == ["recipe 'wgan-gp'"]
    assert not [*with_recipe_of_loss(asked(generator={"plugin": "gantk:aegan"}))]


def test_the_recipes_own_part_is_no_other_part_and_code_from_python_stays() -> None:
    others = [change.what for change in with_other_parts(FitError("the generator does not fit"), asked())]
    assert "--generator aegan" in others
    assert "--generator dcgan" not in others
    given = asked(generator={"plugin": "python:Mine"})
    assert not [*with_other_parts(FitError("the generator does not fit"), given)]


def test_advice_on_what_is_not_there_is_passed_over() -> None:
    text = "use --discriminator nothing, --width 3 or --discriminator dcgan:norm=layer"
    assert [change.what for change in advised(text, asked())] == ["--discriminator dcgan:norm=layer"]


def test_advice_to_use_a_part_of_the_users_resets_one_of_its_options_first() -> None:
    request = asked(discriminator={"plugin": "gantk:dcgan", "width": 8, "norm": "layer"})
    assert [change.what for change in advised("use --discriminator dcgan", request)] == [
        "--discriminator dcgan:width=64,norm=layer",
        "--discriminator dcgan:width=8,norm=batch",
        "--discriminator dcgan",
    ]


def test_a_loss_that_derives_from_the_present_one_is_its_kin() -> None:
    request = asked("wgan", loss=[{"plugin": "gantk:wasserstein"}])
    found = [change.what for change in with_other_parts(FitError("choose another --loss"), request)]
    assert found == ["--loss wgan-gp"]


def test_a_recipe_that_cannot_be_read_is_passed_over(register: Callable[[str, str, type], None]) -> None:
    whole = [change.what for change in with_other_recipe(asked(loss=[WGAN_GP]))]
    register("recipe", "a-broken-one", type("NotThere", (), {}))
    assert [change.what for change in with_other_recipe(asked(loss=[WGAN_GP]))] == whole
