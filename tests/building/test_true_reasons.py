"""Inputs whose first error would be somebody else's: what is refused is named for what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gantk
from gantk.errors import BrokenPlugin, FitError, OptionError, UsageError

IMAGES = np.zeros((8, 1, 8, 8), np.uint8)


def not_a_number(n: int) -> Tensor:
    return torch.full((n, 4), torch.nan)


def complex_term(play: Any) -> Tensor:
    return play.fake.mean() + 0j


@pytest.mark.parametrize("spec", [None, 3, {}, {"name": "gaussian"}, {"plugin": 3}, torch.nn.Linear])
def test_a_part_is_named_by_text_or_a_table(spec: Any) -> None:
    with pytest.raises(OptionError, match=r"^noise: expected 'name', 'name:option=value' or \{'plugin': 'name'"):
        gantk.construct("noise", spec)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"image_shape": 3, "noise_dim": 2}, r"image_shape is \(channels, height, width\), not 3"),
        ({"image_shape": (16, 16), "noise_dim": 2}, "image_shape is"),
        ({"image_shape": (3, 16, 0), "noise_dim": 2}, r"image_shape is \(channels, height, width\), not \(3, 16, 0\)"),
        ({"image_shape": (3, 16.0, 16), "noise_dim": 2}, "image_shape is"),
        ({"image_shape": (3, 16, "16"), "noise_dim": 2}, "image_shape is"),
        ({"image_shape": (3, 16, 16), "noise_dim": 0}, "noise_dim is a whole number of 1 or more, not 0"),
        ({"image_shape": (3, 16, 16)}, r"needs noise_dim, which no other part supplies\."),
        ({"noise_dim": 2, "width": 4}, r"width is not a context argument; use 'dcgan:width=…'"),
        ({"image_shape": (3, 16, 16), "noise_dim": -2}, "noise_dim is a whole number of 1 or more, not -2"),
        ({"image_shape": (3, 16, 16), "noise_dim": "x"}, "noise_dim is a whole number"),
    ],
)
def test_shapes_that_are_none(context: dict[str, Any], message: str) -> None:
    with pytest.raises((FitError, OptionError), match=f"^generator 'dcgan':? {message}"):
        gantk.construct("generator", "dcgan", **context)


def test_the_least_that_is_a_shape() -> None:
    generator = gantk.construct("generator", "gan:widths=[2]", image_shape=[1, 1, 1], noise_dim=1)
    assert generator(torch.zeros(2, 1)).shape == (2, 1, 1, 1)


class Refusing(gantk.NoiseSource):
    """Refuses whatever it is given."""

    def __init__(self, *, said: str = "no") -> None:
        raise FitError(said)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("too few numbers", "noise 'refusing': too few numbers"),
        ("noise 'refusing' takes none", "noise 'refusing' takes none"),
        ("noise refusing takes none", "noise refusing takes none"),
    ],
)
def test_what_a_constructor_refuses_is_told_with_its_name_once(
    said: str, told: str, register: Callable[[str, str, type], None]
) -> None:
    register("noise", "refusing", Refusing)
    with pytest.raises(FitError) as error:
        gantk.construct("noise", {"plugin": "refusing", "said": said})
    assert str(error.value) == told


def test_a_part_of_another_kind_is_no_part_of_this(register: Callable[[str, str, type], None]) -> None:
    register("generator", "refusing", Refusing)
    with pytest.raises(
        BrokenPlugin, match=r"^generator 'refusing' of package gantk 0 is .*, not a subclass of gantk\."
    ):
        gantk.construct("generator", "refusing")


def test_noise_without_numbers() -> None:
    with pytest.raises(FitError, match="returned NaN or infinite values"):
        gantk.build("gan", data=IMAGES, noise=not_a_number)


def test_a_complex_term_is_called_so() -> None:
    with pytest.raises(FitError, match=r"is a tensor \[\] of complex64; expected a scalar tensor"):
        gantk.build("gan", data=IMAGES, loss=complex_term)


def test_a_game_without_an_adversarial_loss_is_noted() -> None:
    model = gantk.build("degan", data="digits", without="nonsaturating", noise="gaussian", loss="hidden:players=both")
    assert any("no adversarial loss is left" in note for note in model.built.notes)


def test_data_that_is_given_has_no_options() -> None:
    with pytest.raises(OptionError, match=r"--set data\.size: the data is given from Python and has no options"):
        gantk.build("gan", data=IMAGES, settings={"data.size": 16})


def test_a_value_in_place_of_a_method() -> None:
    with pytest.raises(BrokenPlugin, match=r"^Mine\.roles is a method of parts, but here a tuple"):
        type("Mine", (gantk.Loss,), {"roles": ("generator",)})


def test_more_images_than_memory_holds() -> None:
    model = gantk.build("gan", data=IMAGES)
    with pytest.raises(UsageError, match=r"1,000,000,000,000 images of \[1, 8, 8\] do not fit into memory"):
        model.sample(10**12)
