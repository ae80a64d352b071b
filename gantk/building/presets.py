"""The specs of recipes: presets, down to the schedule that they extend."""

from __future__ import annotations

from typing import Any

from gantk import toml
from gantk.building.merging import merge
from gantk.building.spec import Spec, normalize, part_table
from gantk.errors import BrokenPlugin
from gantk.recipe import is_adaptive
from gantk.registry import Plugin, find

__all__ = ["DEFAULT_RECIPE", "recipe_spec"]

DEFAULT_RECIPE = "gantk:dcgan"


def recipe_spec(value: Any) -> Spec:
    """The spec of a recipe, a preset resolved down to the schedule it extends.

    Returns:
        a normalized spec whose `recipe` is the schedule's table and whose `preset` is the name that was asked for.

    Raises:
        UnknownName, BrokenPlugin: there is no such recipe, or its TOML cannot be read.
    """
    table = part_table("recipe", value)
    plugin = find("recipe", table["plugin"])
    options = {k: v for k, v in table.items() if k != "plugin"}
    spec = _load_recipe(plugin, ())
    spec["recipe"] = {**spec["recipe"], **options}
    spec["preset"] = plugin.name
    return spec


def _load_recipe(plugin: Plugin, seen: tuple[str, ...]) -> Spec:
    if plugin.qualified in seen:
        raise BrokenPlugin(f"recipe '{plugin.qualified}' extends itself: {' → '.join((*seen, plugin.qualified))}.")
    loaded = plugin.load()
    if is_adaptive(loaded):
        said = {key: text for key, text in (("title", loaded.title), ("paper", loaded.paper)) if text}
        preset = {**said, **loaded.defaults, "extends": loaded.extends}
        return _extended(preset, plugin, f"recipe '{plugin.name}' ({plugin.package})", seen)
    if not isinstance(loaded, str):
        return {
            "recipe": {"plugin": plugin.qualified},
            **normalize(loaded.defaults, f"recipe '{plugin.name}'", plugin.package),
        }
    where = f"recipe '{plugin.name}' ({plugin.package}, {plugin.name}.toml)"
    try:
        preset = toml.loads(loaded)
    except toml.TOMLDecodeError as error:
        raise BrokenPlugin(f"{where} is not valid TOML: {error}") from error
    return _extended(preset, plugin, where, seen)


def _extended(preset: Spec, plugin: Plugin, where: str, seen: tuple[str, ...]) -> Spec:
    """A preset's values over those of the recipe that it extends."""
    preset.pop("scored", None)  # says how the preset did as it is: listings show it, and no model inherits it
    base = preset.pop("extends", None)
    if not isinstance(base, str):
        raise BrokenPlugin(f"{where} must name the recipe that it extends, as in extends = 'game'.")
    table = part_table("recipe", base, plugin.package)
    extended = find("recipe", table.pop("plugin"))
    if is_adaptive(extended.load()):
        raise BrokenPlugin(f"{where} extends '{extended.name}', which chooses its values itself: extend another one.")
    lower = _load_recipe(extended, (*seen, plugin.qualified))
    lower["recipe"] = {**lower["recipe"], **table}
    return merge(lower, normalize(preset, where, plugin.package))
