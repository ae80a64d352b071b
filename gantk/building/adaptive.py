"""Presets that look at the data before they choose their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gantk.building.construct import construct, part_class
from gantk.building.merging import merge
from gantk.building.spec import Spec, bare_name, normalize, part_table
from gantk.data import DataSource
from gantk.duration import seconds_of
from gantk.errors import UsageError
from gantk.kinds import LISTS, SLOTS
from gantk.options import read_options
from gantk.recipe import Wanted, is_adaptive
from gantk.registry import find

__all__ = ["Asked", "adapted"]


def adapted(
    recipe: Any, lower: Spec, data: Mapping[str, Any] | DataSource, time: str | float | None, request: Asked
) -> tuple[Spec, Mapping[str, Any], list[str]]:
    """A recipe's spec, the data's options and notes on what was chosen for the data.

    Args:
        recipe: the recipe that was asked for.
        lower: its spec.
        data: the data's table, or the data source.
        time: how long training may take.
        request: what the user chose.

    Returns:
        `lower` itself, and nothing else, unless the recipe is an adaptive preset.

    Raises:
        UsageError: a time is given to a recipe that does not choose its length.
        DataError: the data cannot be read.
    """
    plugin = find("recipe", part_table("recipe", recipe)["plugin"])
    preset = plugin.load()
    if not is_adaptive(preset):
        if time is not None:
            raise UsageError(
                f"recipe '{plugin.name}' has a length of its own: leave out the time, and set the length with "
                "--set stages.*.length, such as '20 epochs'."
            )
        return lower, {}, []
    seconds = preset.seconds if time is None else seconds_of(time)
    source, options = _looked_at(data, preset.size)
    parts = {kind: part for kind, part in request.parts.items() if kind in (*SLOTS, *LISTS)}
    chosen = preset().adapt(Wanted(source, options, seconds, parts))
    spec = merge(lower, normalize(chosen.preset, f"recipe '{plugin.name}'", plugin.package))
    return (
        spec,
        {} if isinstance(data, DataSource) else chosen.data,
        [why for what, why in chosen.reasons.items() if not request.says(what, spec)],
    )


@dataclass(frozen=True)
class Asked:
    """What a user chose, beside the recipe.

    Args:
        parts: the parts, by kind.
        without: the recipe's parts that are left out.
        settings: paths of settings.
    """

    parts: Mapping[str, Any]
    without: Sequence[str]
    settings: Sequence[str]

    def says(self, what: str, spec: Spec) -> bool:
        """Whether the user chose otherwise what a path such as `noise` or `stages.game.length` is about."""
        kind = what.partition(".")[0]
        tables = spec.get(kind, [])
        names = {
            bare_name(table) for table in ([tables] if isinstance(tables, Mapping) else tables) if "plugin" in table
        }
        inside = any(fnmatchcase(what, path) or path.startswith(f"{what}.") for path in self.settings)
        return (kind in self.parts and kind != "data") or inside or bool({kind, *names} & set(self.without))


def _looked_at(data: Mapping[str, Any] | DataSource, size: int) -> tuple[DataSource, frozenset[str]]:
    """The data, in images of a size if it has that option, and its options that the user left open."""
    if isinstance(data, DataSource):
        return data, frozenset()
    options = frozenset(read_options(part_class("data", data["plugin"]))) - set(data)
    return construct("data", {"size": size, **data} if "size" in options else data), options
