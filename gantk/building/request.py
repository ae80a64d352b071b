"""The request for a build, and changes to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gantk.building.construct import part_class
from gantk.building.merging import leave_out
from gantk.building.spec import Spec
from gantk.errors import GantkError, UsageError
from gantk.kinds import LISTS, SLOTS

__all__ = ["Change", "Request", "is_adversarial"]


@dataclass(frozen=True)
class Request:
    """The request for a build.

    Args:
        lower: the recipe's spec.
        chosen: the user's own parts, as tables, by kind.
        without: the parts of the recipe that the user leaves out.
        settings: the user's settings, as `"PATH=VALUE"` or `(path, value)`.
    """

    lower: Spec
    chosen: Mapping[str, Any]
    without: tuple[str, ...] = ()
    settings: tuple[Any, ...] = ()

    def tables(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """(kind, table) of each part that the user chose."""
        for kind in (*SLOTS, *LISTS):
            listed = self.chosen.get(kind, [])
            yield from ((kind, table) for table in ([listed] if isinstance(listed, Mapping) else listed))

    def of_recipe(self, kind: str) -> list[Mapping[str, Any]]:
        """The recipe's parts of a kind, without those that the user leaves out."""
        lower = deepcopy(self.lower)
        for name in self.without:
            with suppress(UsageError):  # another recipe may have no such part
                leave_out(lower, name)
        listed = lower.get(kind, [])
        return [listed] if isinstance(listed, Mapping) else listed

    def own(self, kind: str, plugin: str) -> Mapping[str, Any]:
        """The user's table of a plugin; empty if they did not choose it."""
        return next((table for each, table in self.tables() if (each, table["plugin"]) == (kind, plugin)), {})

    def less(self, kind: str, table: Mapping[str, Any]) -> Request:
        """The same request without one of its parts."""
        rest = {key: value for key, value in self.chosen.items() if key != kind}
        if kind in LISTS and (others := [each for each in self.chosen[kind] if each != table]):
            rest[kind] = others
        return replace(self, chosen=rest)

    def having(self, kind: str, table: Mapping[str, Any]) -> Request:
        """The same request with another part; an adversarial loss replaces the chosen adversarial loss."""
        if kind not in LISTS:
            return replace(self, chosen={**self.chosen, kind: dict(table)})
        listed = [each for each in self.chosen.get(kind, []) if each["plugin"] != table["plugin"]]
        if kind == "loss" and is_adversarial(table):
            listed = [each for each in listed if not is_adversarial(each)]
        return replace(self, chosen={**self.chosen, kind: [*listed, dict(table)]})


class Change(NamedTuple):
    """A change to a request: its wording, and the changed request."""

    verb: str
    what: str
    request: Request


def is_adversarial(table: Mapping[str, Any]) -> bool:
    """Whether a loss is adversarial; false if its plugin is broken."""
    try:
        return bool(part_class("loss", table["plugin"]).adversarial)
    except GantkError:
        return False
