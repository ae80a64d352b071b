"""Construction: from a plugin's name and options to a part, with the context that it asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from gantk.data import DataSource
from gantk.errors import BrokenPlugin, GantkError
from gantk.options import check_options, context_names, parse_part
from gantk.parts import Discriminator, Generator, Loss, NoiseSource, Refiner
from gantk.recipe import Recipe
from gantk.registry import find

__all__ = ["construct", "part_class"]

BASES: Mapping[str, type] = {
    "noise": NoiseSource,
    "generator": Generator,
    "refiner": Refiner,
    "discriminator": Discriminator,
    "loss": Loss,
    "data": DataSource,
    "recipe": Recipe,
}
"""What a plugin of each kind is a subclass of."""


def part_class(kind: str, name: str) -> Any:
    """The class that a plugin name stands for.

    Raises:
        UnknownName: there is no such plugin.
        BrokenPlugin: it cannot be imported, or is not what its kind asks for.
    """
    plugin = find(kind, name)
    found = plugin.load()
    base = BASES[kind]
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise BrokenPlugin(
            f"{kind} '{name}' of package {plugin.package} is {found!r:.80}, not a subclass of {base.__name__}."
        )
    return found


def construct(kind: str, spec: str | Mapping[str, Any], **context: Any) -> Any:
    """One part: its options checked and converted, and of the context just what its constructor asks for.

    Args:
        kind: the plugin's kind.
        spec: `"name:option=value"` or `{"plugin": name, option: value}`.
        context: `image_shape`, `noise_dim`, `class_count`.

    Raises:
        UnknownName, OptionError, FitError: the name, an option, or what the part was asked to fit is not possible.
        BrokenPlugin: the plugin's own code failed.
    """
    name, options = parse_part(spec) if isinstance(spec, str) else (spec["plugin"], without_plugin(spec))
    factory = part_class(kind, name)
    what = f"{kind} '{name.rpartition(':')[2]}'"
    checked = check_options(factory, options, what)
    needed = context_names(factory)
    try:
        return factory(**{k: v for k, v in context.items() if k in needed}, **checked)
    except GantkError as error:
        raise type(error)(f"{what}: {error}" if what not in str(error) else str(error)) from error
    except Exception as error:
        package = find(kind, name).package
        raise BrokenPlugin(f"{what} of package {package} failed: {type(error).__name__}: {error}") from error


def without_plugin(table: Mapping[str, Any]) -> dict[str, Any]:
    """A part's options alone."""
    return {key: value for key, value in table.items() if key != "plugin"}
