"""Which changes of a refused request are tried, in which order, and how many: with builds that are only pretended."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gantk import Loss, Play
from gantk.building.construct import part_class
from gantk.building.mends import ENOUGH, MOST, MOST_TRIED, mended
from gantk.building.presets import recipe_spec
from gantk.building.request import Request
from gantk.errors import DataError, FitError, OptionError
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
    ) == ("This builds: choose recipe 'age', or use --generator age, or leave out --loss age.")


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
    """Less of what was given, rather than something else."""
    wide = {**DCGAN, "width": 8}

    def build(request: Request) -> None:
        if request.chosen.get("generator") == wide:
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


def test_what_the_message_advises_is_enough_where_it_builds() -> None:
    advice = "use --discriminator dcgan:norm=layer or --discriminator dcgan:norm=none"
    said = told(advice, asked(discriminator={**DCGAN, "norm": "batch"}), lambda _: True)
    assert said == "This builds: use --discriminator dcgan:norm=layer, or leave out --discriminator."


def test_two_ways_to_ask_for_less_are_named() -> None:
    three = {"generator": DCGAN, "discriminator": DCGAN, "loss": [AGE]}
    assert told("it does not fit", asked(**three), lambda each: len(each.chosen) == 2) == (
        "This builds: leave out --generator or --discriminator."
    )


@pytest.mark.parametrize("names", [("code", "wasserstein"), ("age", "wgan-gp")])
def test_one_recipe_is_named(names: tuple[str, str]) -> None:
    losses = [{"plugin": f"gantk:{name}"} for name in names]
    said = told("it does not fit", asked(loss=losses), lambda each: each.lower["preset"] != "dcgan")
    assert said.count("recipe '") == 1


def test_parts_that_nobody_chose_are_replaced_first() -> None:
    said = told("generator and discriminator do not fit", asked(generator=DCGAN), lambda _: True)
    assert said.startswith("This builds: use --discriminator ")


def test_a_missing_part_is_added_as_in_the_default_recipe() -> None:
    request = asked(recipe="vae", loss=[WGAN_GP])
    assert "discriminator" not in request.lower
    said = told("the loss needs a discriminator", request, lambda each: "discriminator" in each.chosen)
    assert said.startswith("This builds: add --discriminator dcgan")
    assert told("the loss needs a generator", request, lambda each: "discriminator" in each.chosen) == ""


def test_noise_that_was_chosen_is_not_the_same_as_the_recipes() -> None:
    """The length of chosen noise is never changed, so that equal specs may build differently."""
    build = Pretended(lambda each: "noise" not in each.chosen)
    request = asked(noise={"plugin": "gantk:gaussian"}, loss=[AGE])
    found = mended(FitError("it does not fit"), request, build, lambda each: {})
    assert str(found) == "it does not fit. This builds: leave out --noise."
    assert len(build.tried) == 2


def test_what_cannot_be_described_does_not_build() -> None:
    def described(request: Request) -> Any:
        if "loss" not in request.chosen:
            raise OptionError("no such setting")
        return repr(request)

    said = told("it does not fit", asked(generator=DCGAN, loss=[AGE]), lambda each: len(each.chosen) == 1, described)
    assert said == "This builds: leave out --generator."


@pytest.mark.parametrize(("builds_first", "count"), [(True, 2), (False, 8)])
def test_no_more_is_built_after_much_work(builds_first: bool, count: int) -> None:
    """A quarter as much where something was found as where nothing was; here each build is half of that."""

    class Large(Pretended):
        def __call__(self, request: Request) -> None:
            for _ in range(50):
                torch.empty(1).expand(ENOUGH // 100 + 1)
            super().__call__(request)

    request = asked(*(f"stages.game.length={n} steps" for n in range(20)))
    build = Large(lambda each: builds_first and len(build.tried) == 1)
    mended(FitError("it does not fit"), request, build, repr)  # type: ignore[arg-type]
    assert len(build.tried) == count + (not builds_first)  # and the bare recipe, if nothing was found


def test_less_is_tried_however_much_work_the_other_changes_were() -> None:
    """More than is done at all; the second change that would do is not found for it."""

    class Huge(Pretended):
        def __call__(self, request: Request) -> None:
            torch.empty(1).expand(MOST + 1)
            super().__call__(request)

    build = Huge(lambda each: [*each.chosen] == ["loss"] and each.lower["preset"] == "dcgan")
    found = mended(FitError("it does not fit"), asked(generator=DCGAN, loss=[AGE]), build, repr)  # type: ignore[arg-type]
    assert str(found) == "it does not fit. This builds: leave out --generator."


def test_warnings_of_what_is_tried_are_not_shown(recwarn: pytest.WarningsRecorder) -> None:
    def fits(request: Request) -> bool:
        warnings.warn("tried", stacklevel=1)
        return True

    told("it does not fit", asked(loss=[AGE]), fits)
    assert not recwarn.list


@pytest.mark.parametrize("second", ["of code", "the same", "no refusal"])
def test_only_another_refusal_is_told_of(second: str) -> None:
    error, again = FitError("generator 'dcgan' is too wide"), FitError("loss 'age' has no encoder")
    again.of_code = second == "of code"
    again = {"the same": FitError(error.problem), "no refusal": DataError("no such file")}.get(second, again)  # type: ignore[assignment]

    def build(request: Request) -> None:
        if "generator" in request.chosen:
            raise error
        if request.chosen:
            raise again

    found = mended(error, asked(generator=DCGAN, loss=[AGE]), build, repr)  # type: ignore[arg-type]
    assert str(found) == f"{error}. This builds: leave out --generator and --loss age."


def test_two_ways_to_one_build_are_both_named() -> None:
    def width(request: Request) -> Any:
        return request.chosen.get("generator", DCGAN).get("width", 64)

    build = Pretended(lambda _: True)
    found = mended(FitError("it is too wide"), asked(generator={**DCGAN, "width": 128}), build, width)
    assert str(found) == "it is too wide. This builds: use --generator dcgan:width=64, or leave out --generator."
    assert len(build.tried) == 1


def test_what_is_advised_but_is_not_there_is_passed_over() -> None:
    """A plugin that is not installed, a missing part that no default recipe has, and options of code from Python."""
    less = "This builds: leave out --discriminator."
    request = asked(discriminator=DCGAN)
    assert told("use --discriminator nothing", request, lambda each: "discriminator" not in each.chosen) == less
    assert told("it needs a refiner", request, lambda each: "discriminator" not in each.chosen) == less
    handed = asked(discriminator={"plugin": "python:Mine", "width": 8})
    assert told("its width does not fit", handed, lambda each: "discriminator" not in each.chosen) == less


def test_an_adversarial_loss_is_replaced_by_its_kin_first() -> None:
    def losses(request: Request, problem: str) -> tuple[str, list[str]]:
        build = Pretended(
            lambda each: each.chosen.get("loss", request.chosen.get("loss")) != request.chosen.get("loss")
        )
        found = mended(FitError(problem), request, build, repr)  # type: ignore[arg-type]
        named = [loss["plugin"].rpartition(":")[2] for each in build.tried for loss in each.chosen.get("loss", [])]
        return str(found), named

    said, tried = losses(asked(loss=[WGAN_GP]), "choose another --loss")
    assert "use --loss wasserstein" in said
    assert set(tried) <= {"wasserstein", "wgan-gp"}
    said, tried = losses(asked(generator=DCGAN), "choose another --loss")
    assert said.count("use --loss ") == 1
    assert all(part_class("loss", name).adversarial for name in tried)


def test_a_loss_is_not_replaced_where_the_error_does_not_ask_for_it() -> None:
    said = told("it does not fit", asked(generator=DCGAN), lambda each: "loss" in each.chosen)
    assert said == ""
