"""Which changes of a refused request are tried, in which order, and how many: with builds that are only pretended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from torch import Tensor

from gantk import Loss, Play
from gantk.building.mends import MOST_TRIED, mended
from gantk.building.request import Request
from gantk.building.spec import recipe_spec
from gantk.errors import FitError
from gantk.registry import plugins

AGE, WGAN_GP = {"plugin": "gantk:age"}, {"plugin": "gantk:wgan-gp"}
DCGAN = {"plugin": "gantk:dcgan"}
OTHERS = [plugin.name for plugin in plugins("generator") if plugin.name != "dcgan"]


def asked(*settings: str, recipe: str = "dcgan", **chosen: Any) -> Request:
    return Request(recipe_spec(recipe), chosen, settings=settings)


class Pretended:
    """Builds the requests of which a predicate is true, and keeps those that it was asked for."""

    def __init__(self, fits: Callable[[Request], bool], problem: str = "it does not fit") -> None:
        self.fits = fits
        self.error = FitError(problem)
        self.tried: list[Request] = []

    def __call__(self, request: Request) -> None:
        self.tried.append(request)
        if not self.fits(request):
            raise self.error


def told(
    problem: str, request: Request, fits: Callable[[Request], bool], spec_of: Callable[[Request], Any] = repr
) -> str:
    """The message on a request that was refused because of a problem."""
    build = Pretended(lambda each: each != request and fits(each), problem)
    return str(mended(FitError(problem), request, build, spec_of)).removeprefix(problem).lstrip(". ")


def test_the_recipe_of_a_loss_then_another_part_then_less() -> None:
    assert told(
        "loss 'age' needs posterior, which this generator does not have", asked(loss=[AGE]), lambda _: True
    ) == (f"This builds: choose recipe 'age', or use --generator {OTHERS[0]}, or leave out --loss age.")


def test_two_other_parts_where_no_recipe_is_called_so() -> None:
    said = told("generator 'dcgan' does not fit", asked(generator={**DCGAN, "width": 64}), lambda _: True)
    assert said == f"This builds: use --generator {OTHERS[0]} or --generator {OTHERS[1]}, or leave out --generator."


def test_an_option_as_the_recipe_has_it_or_by_default() -> None:
    chosen = {**DCGAN, "init_std": 0.1, "code": False, "norm": "layer"}

    def fitting(**options: Any) -> str:
        expected = {**chosen, **options}
        return told("it does not fit", asked(recipe="autodecoder", discriminator=chosen), by_discriminator(expected))

    assert fitting(norm="batch") == "This builds: use --discriminator dcgan:init_std=0.1,code=false,norm=batch."
    assert fitting(init_std="0.00282").startswith("This builds: use --discriminator dcgan:init_std=0.00282,code=false,")
    assert fitting(code="true").startswith("This builds: use --discriminator dcgan:init_std=0.1,code=true,")


def by_discriminator(expected: dict[str, Any]) -> Callable[[Request], bool]:
    return lambda request: request.chosen.get("discriminator") == expected


def test_the_part_that_the_message_advises_keeps_its_other_options() -> None:
    chosen = {**DCGAN, "width": 8, "norm": "batch"}
    request, seen = asked(discriminator=chosen), by_discriminator
    said = told(
        "use --data folder:root=x or --discriminator dcgan:norm=layer", request, seen({**chosen, "norm": "layer"})
    )
    assert said == "This builds: use --discriminator dcgan:width=8,norm=layer."
    assert told("use --discriminator dcgan", request, seen(DCGAN)) == "This builds: use --discriminator dcgan."
    assert told("use --discriminator dcgan", request, seen({**chosen, "width": 64})) == (
        "This builds: use --discriminator dcgan:width=64,norm=batch."
    )


class Toned(Loss):
    """A loss with an option that has no default, and a text that looks like a list."""

    def __init__(self, of: str, *, tone: str = "light, dark") -> None:
        super().__init__()

    def generator(self, play: Play) -> Tensor:
        return play.fake.mean()


def test_options_without_a_default_stay(register: Callable[[str, str, type], None]) -> None:
    register("loss", "toned", Toned)
    chosen = {"plugin": "gantk:toned", "of": "x", "tone": "gray"}
    build = Pretended(lambda request: request.chosen.get("loss") == [{**chosen, "tone": "light, dark"}])
    found = mended(FitError("it does not fit"), asked(loss=[chosen]), build, repr)  # type: ignore[arg-type]
    assert str(found) == "it does not fit. This builds: use --loss toned:of=x,tone='light, dark'."
    assert all(each.get("of", "x") == "x" for request in build.tried for each in request.chosen.get("loss", []))


def test_a_setting_that_does_not_fit_is_left_out() -> None:
    first, second = "stages.game.batch_size=1", "stages.game.length=2 steps"
    request = asked(first, second)
    assert told("it does not fit", request, lambda each: each.settings == (second,)) == (
        "This builds: leave out --set stages.game.batch_size."
    )
    assert told("it does not fit", request, lambda each: each.settings == (first,)) == (
        "This builds: leave out --set stages.game.length."
    )


def test_another_recipe_keeps_the_data() -> None:
    request = asked(recipe="aegan", loss=[{"plugin": "gantk:code"}])
    data = {"plugin": "gantk:folder", "root": "photos"}
    request = replace(request, lower={**request.lower, "data": data})
    said = told(
        "no loss fits", request, lambda each: each.lower["preset"] == "autodecoder" and each.lower["data"] == data
    )
    assert said == "This builds: choose recipe 'autodecoder'."


def test_two_changes_where_none_is_enough() -> None:
    wide = {**DCGAN, "width": 8}

    def build(request: Request) -> None:
        if "generator" in request.chosen:
            raise FitError("generator 'dcgan' is too wide")
        if "loss" in request.chosen:
            raise FitError("loss 'age' has no encoder")

    request = asked(generator=wide, loss=[AGE])
    found = mended(FitError("generator 'dcgan' is too wide"), request, build, repr)  # type: ignore[arg-type]
    assert str(found) == (
        "generator 'dcgan' is too wide; loss 'age' has no encoder: leave out --generator and leave out --loss age."
    )


def test_only_so_many_builds_are_tried_and_the_bare_recipe_last() -> None:
    request = asked(*(f"stages.game.length={n} steps" for n in range(200)), generator=DCGAN, loss=[WGAN_GP])
    build = Pretended(lambda each: not each.chosen and len(build.tried) > MOST_TRIED)
    found = mended(FitError("it does not fit"), request, build, repr)  # type: ignore[arg-type]
    assert len(build.tried) == MOST_TRIED + 1
    assert str(found) == "it does not fit. This builds: leave out --generator and --loss wgan-gp."


def test_what_describes_the_same_is_built_once() -> None:
    build = Pretended(lambda each: False)
    error = FitError("loss 'age' does not fit", "use another one")
    assert mended(error, asked(loss=[AGE]), build, lambda each: {}) is error
    assert len(build.tried) == 1


@pytest.mark.parametrize("of_code", [True, False])
def test_a_fault_of_a_parts_own_code_is_left_as_it_is(of_code: bool) -> None:
    error = FitError("loss 'age' divides by zero")
    error.of_code = of_code
    build = Pretended(lambda each: True)
    assert (mended(error, asked(loss=[AGE]), build, repr) is error) == of_code  # type: ignore[arg-type]
    assert bool(build.tried) != of_code
