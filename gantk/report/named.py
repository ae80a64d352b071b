"""Find a plugin by its name without its kind."""

from __future__ import annotations

from gantk.errors import UnknownName, UsageError, nearest
from gantk.kinds import KINDS
from gantk.registry import everything, plugins

__all__ = ["kind_of"]


def kind_of(name: str) -> str:
    """The kind of the plugin with this name, if it is unique.

    Raises:
        UsageError: the name is a kind, or plugins of several kinds have it; the message says what to type.
        UnknownName: there is no such plugin; the message suggests the closest name.
    """
    if name in KINDS:
        known = ", ".join(dict.fromkeys(plugin.name for plugin in plugins(name)))
        raise UsageError(f"expected gantk show {name} NAME; NAME is one of {known or '(none installed)'}.")
    bare = name.rpartition(":")[2]
    kinds = list(dict.fromkeys(plugin.kind for plugin in everything() if name in (plugin.name, plugin.qualified)))
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        choices = " or ".join(f"gantk show {kind} {name}" for kind in kinds)
        raise UsageError(f"'{name}' is the name of a {' and a '.join(kinds)}: use {choices}.")
    raise UnknownName(f"there is no plugin '{name}'.{nearest(bare, {*(p.name for p in everything()), *KINDS})}")
