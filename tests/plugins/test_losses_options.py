"""The options of every bundled loss: the ends of their ranges, and to whom a loss speaks with them."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

from gantk import Loss
from gantk.construct import construct
from gantk.errors import OptionError
from gantk.registry import plugins

LOSSES = [plugin.name for plugin in plugins("loss") if plugin.package == "gantk"]


def made(name: str, **options: Any) -> Loss:
    loss: Loss = construct("loss", {"plugin": name, **options})
    return loss


def factors() -> list[tuple[str, str]]:
    """(loss, option) of every option that is a number."""
    found = []
    for name in LOSSES:
        for option in inspect.signature(type(made(name)).__init__).parameters.values():
            if isinstance(option.default, float):
                found.append((name, option.name))
    return found


OTHER_RANGES = {
    ("wgan-gp", "target"),
    ("minimax", "smoothing"),
    ("nonsaturating", "smoothing"),
    *(("least-squares", option) for option in "abc"),
    ("consistency", "shift"),
    ("diversity", "bound"),
    ("began", "gamma"),
    ("began", "rate"),
    ("ebgan", "margin"),
}


@pytest.mark.parametrize(("name", "option"), [each for each in factors() if each not in OTHER_RANGES])
def test_a_factor_is_zero_or_more_and_finite(name: str, option: str) -> None:
    for allowed in (0.0, 1e-9, 1e9):
        made(name, **{option: allowed})
    for refused in (-1e-9, math.inf, math.nan):
        with pytest.raises(OptionError, match=f"{option}.* 0 or more"):
            made(name, **{option: refused})


def test_other_numbers_have_ranges_of_their_own() -> None:
    made("wgan-gp", target=1e-9)
    for refused in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(OptionError, match="target"):
            made("wgan-gp", target=refused)
    for loops in (1, 100):
        made("code", loops=loops)
    for loops in (0, 101):
        with pytest.raises(OptionError, match="loops is 1 to 100"):
            made("code", loops=loops)
    made("nonsaturating", smoothing=0.49)
    for refused in (-1e-9, 0.5, math.nan):
        with pytest.raises(OptionError, match="smoothing must be 0 or more and below"):
            made("nonsaturating", smoothing=refused)


SPEAKS: dict[str, set[str]] = {
    "minimax": {"discriminator", "generator"},
    "nonsaturating": {"discriminator", "generator"},
    "wasserstein": {"discriminator", "generator"},
    "wgan-gp": {"discriminator", "generator"},
    "hidden": {"generator"},
    "hidden:players=both": {"discriminator", "generator"},
    "code": {"discriminator", "generator"},
    "auxiliary": {"discriminator", "generator"},
    "orthogonal": {"generator"},
    "vae": {"autoencoder"},
    "age": {"encoder", "generator"},
    "hinge": {"discriminator", "generator"},
    "least-squares": {"discriminator", "generator"},
    "relativistic": {"discriminator", "generator"},
    "r1": {"discriminator"},
    "r2": {"discriminator"},
    "dragan": {"discriminator"},
    "consistency": {"discriminator"},
    "diversity": {"generator"},
    "feature-matching": {"generator"},
    "began": {"discriminator", "generator"},
    "ebgan": {"discriminator", "generator"},
    "learned-similarity": {"encoder", "generator"},
}


@pytest.mark.parametrize("spec", SPEAKS)
def test_a_loss_speaks_to_its_roles_and_to_nobody_else(spec: str) -> None:
    loss: Loss = construct("loss", spec)
    roles = ("discriminator", "generator", "encoder", "autoencoder", "refiner")
    assert {role for role in roles if loss.speaks_to(role)} == SPEAKS[spec]


def test_which_losses_are_those_of_a_game() -> None:
    """A model has one of them: another one that is named takes its place."""
    joining = {"hidden", "code", "vae", "auxiliary", "orthogonal"}
    joining |= {"r1", "r2", "dragan", "consistency", "diversity", "feature-matching", "learned-similarity"}
    assert {name for name in LOSSES if made(name).adversarial} == set(LOSSES) - joining


def test_every_bundled_loss_is_in_the_table() -> None:
    assert {spec.partition(":")[0] for spec in SPEAKS} == set(LOSSES)
