"""Which plugin somebody means who gives a name without its kind."""

from __future__ import annotations

from gantk.errors import UnknownName, UsageError, nearest
from gantk.kinds import KINDS
from gantk.registry import everything, plugins

__all__ = ["kind_of"]


def kind_of(name: str) -> str:
    """The kind of the plugin that a name means, where only one kind has it.

    Raises:
        UsageError: the name is a kind's, or plugins of several kinds have it; the message says what to type.
        UnknownName: nothing is called so; the nearest is named.
    """
    if name in KINDS:
        known = ", ".join(dict.fromkeys(plugin.name for plugin in plugins(name)))
        raise UsageError(f"gantk show {name} NAME: which {name}? There are {known or 'none'}.")
    bare = name.rpartition(":")[2]
    kinds = list(dict.fromkeys(plugin.kind for plugin in everything() if name in (plugin.name, plugin.qualified)))
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        choices = " or ".join(f"gantk show {kind} {name}" for kind in kinds)
        raise UsageError(f"'{name}' is the name of a {', a '.join(kinds)}: say which, as {choices}.")
    raise UnknownName(f"there is no plugin '{name}'.{nearest(bare, {*(p.name for p in everything()), *KINDS})}")
