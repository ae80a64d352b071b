"""Composition: the spec of a recipe, overridden by a user's parts and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from gantk.building.construct import part_class
from gantk.building.given import named
from gantk.building.merging import combine, combine_losses, leave_out, merge
from gantk.building.presets import DEFAULT_RECIPE, recipe_spec
from gantk.building.settings import apply_setting
from gantk.building.spec import Spec, bare_name, normalize
from gantk.errors import UsageError
from gantk.kinds import KINDS, LISTS
from gantk.registry import PYTHON

__all__ = ["DEFAULT_DATA", "as_tables", "compose", "overlay", "recipe_layer"]

DEFAULT_DATA = "gantk:digits"


def compose(recipe: Any, chosen: Mapping[str, Any], settings: Sequence[str | tuple[str, Any]] = ()) -> Spec:
    """The spec of a recipe, overridden by a user's parts and then by the user's settings."""
    return overlay(recipe_layer(recipe), chosen, settings)


def recipe_layer(recipe: Any) -> Spec:
    """The spec of a recipe, with the default data."""
    data = normalize({"data": DEFAULT_DATA}, "default")["data"]
    return merge({"data": data}, recipe_spec(named("recipe", DEFAULT_RECIPE if recipe is None else recipe)))


def overlay(
    lower: Spec,
    chosen: Mapping[str, Any],
    settings: Sequence[str | tuple[str, Any]] = (),
    without: Sequence[str] = (),
) -> Spec:
    """A recipe's spec without the parts that a user leaves out, overridden by the user's parts and settings."""
    lower = deepcopy(lower)
    for name in without:
        leave_out(lower, name)
    upper = as_tables(chosen)
    for kind in LISTS:
        if kind in upper:
            upper[kind] = _combined(kind, lower.get(kind, []), upper[kind])
    spec = merge(lower, upper)
    for setting in settings:
        apply_setting(spec, setting)
    return spec


def as_tables(chosen: Mapping[str, Any]) -> Spec:
    """A user's choices, each part as a table."""
    return normalize({kind: named(kind, value) if kind in KINDS else value for kind, value in chosen.items()}, "build")


def _combined(kind: str, lower: list[dict[str, Any]], upper: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = [part["plugin"] for part in upper]
    if twice := {name for name in named if named.count(name) > 1}:
        raise UsageError(f"{kind} {', '.join(sorted(twice))} is given twice: a model has each {kind} once.")
    handed = {bare_name(part) for part in upper if part["plugin"].startswith(f"{PYTHON}:")}
    lower = [part for part in lower if bare_name(part) not in handed]
    if kind != "loss":
        return combine(lower, upper)
    adversarial = {loss["plugin"]: part_class("loss", loss["plugin"]).adversarial for loss in [*lower, *upper]}
    return combine_losses(lower, upper, adversarial)
