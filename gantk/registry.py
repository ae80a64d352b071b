"""The registry: which plugins are installed, found through entry points and imported only when they are used.

A plugin is one entry point in the group `gantk.<kind>`. Its name is what users type; its value is the object
(`package.module:Class`), or, for a recipe that only chooses values, the package that holds `<name>.toml`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gantk.errors import BrokenPlugin, UnknownName, nearest

__all__ = ["KINDS", "Plugin", "find", "plugins"]

KINDS = ("noise", "generator", "refiner", "discriminator", "loss", "data", "metric", "extractor", "recipe")


@dataclass(frozen=True)
class Plugin:
    """One registered name: what a listing knows of it without importing anything."""

    kind: str
    name: str
    package: str
    version: str
    target: str

    @property
    def qualified(self) -> str:
        """`package:name`, which names this plugin and no other."""
        return f"{self.package}:{self.name}"

    def load(self) -> Any:
        """Import the plugin and return its object: a class, or the text of a TOML preset.

        Raises:
            BrokenPlugin: importing it failed; the message carries its package and the error.
        """
        module_name, _, attribute = self.target.partition(":")
        try:
            module = importlib.import_module(module_name)
            if not attribute:
                return (importlib.resources.files(module) / f"{self.name}.toml").read_text(encoding="utf-8")
            found: Any = module
            for step in attribute.split("."):
                found = getattr(found, step)
            return found
        except (Exception, SystemExit) as error:  # a script that was registered by mistake ends in sys.exit
            raise BrokenPlugin(
                f"{self.kind} '{self.name}' of package {self.package} {self.version} cannot be imported "
                f"({self.target}): {type(error).__name__}: {error}"
            ) from error


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise UnknownName(f"'{kind}' is not a kind of plugin.{nearest(kind, KINDS)}")
    return kind


@cache
def _entry_points(group: str) -> importlib.metadata.EntryPoints:
    return importlib.metadata.entry_points(group=group)


def plugins(kind: str) -> list[Plugin]:
    """Every registered plugin of a kind, by name; reads metadata only and imports nothing.

    Raises:
        UnknownName: there is no such kind.
    """
    found = (
        Plugin(kind, e.name, e.dist.name if e.dist else "?", e.dist.version if e.dist else "?", e.value)
        for e in _entry_points(f"gantk.{_kind(kind)}")
    )
    return sorted(found, key=lambda p: (p.name, p.package))


def find(kind: str, name: str) -> Plugin:
    """The plugin that a name or `package:name` means.

    Raises:
        UnknownName: nobody registers the name (the nearest is shown), or several packages do.
    """
    known = plugins(kind)
    package, _, bare = name.rpartition(":")
    matches = [p for p in known if p.name == bare and (not package or _same(p.package, package))]
    if len(matches) == 1:
        return matches[0]
    if matches:
        claims = " and ".join(p.package for p in matches)
        choices = " or ".join(p.qualified for p in matches)
        raise UnknownName(f"{kind} '{bare}' is claimed by {claims}; say which: {choices}.")
    if package and any(p.name == bare for p in known):
        owners = ", ".join(p.qualified for p in known if p.name == bare)
        raise UnknownName(f"package '{package}' has no {kind} '{bare}'; there is {owners}.")
    raise UnknownName(f"there is no {kind} '{name}'.{nearest(bare, (p.name for p in known))}")


def _same(one: str, other: str) -> bool:
    """Distribution names are compared as the packaging standard does: case, `-`, `_` and `.` do not matter."""
    return one.lower().replace("_", "-").replace(".", "-") == other.lower().replace("_", "-").replace(".", "-")


def everything() -> Iterator[Plugin]:
    """All plugins of all kinds."""
    for kind in KINDS:
        yield from plugins(kind)
